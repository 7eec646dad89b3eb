"""Messages between the server and the node's processes: JSON with file descriptors.

One message is one packet of a SOCK_SEQPACKET pair, so there is no framing to get wrong.
"""

import json
import socket
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]
MAX_PACKET = 4 * 1024 * 1024
MAX_FDS = 8
# Of the pods' network: the addresses 8 to 15 are those of the cluster's own components.
COMPONENTS, COMPONENTS_PREFIX = 8, 29


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends with room for large packets."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_PACKET)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MAX_PACKET)
    return ends


def send(end: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message; raises OSError, also when it is too long for a packet."""
    socket.send_fds(end, [json.dumps(message).encode()], list(fds))


def receive(end: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message and its descriptors; None when the other side has ended."""
    try:
        raw, fds, _flags, _address = socket.recv_fds(end, MAX_PACKET, MAX_FDS)
    except ConnectionResetError:  # it was killed with messages unread
        return None
    if not raw:
        return None
    message: Message = json.loads(raw)
    return message, fds
