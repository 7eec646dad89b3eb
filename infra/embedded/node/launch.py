"""Starting the node's processes.  Light to import: a server starts them before it loads itself."""

import os
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.node import wire

PACKAGE_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Launched:
    """The node's processes, starting: the first process, and this side's ends of the sockets."""

    process: subprocess.Popen[bytes]
    net: socket.socket
    control: socket.socket


def launch(network: str = "auto") -> Launched:
    """Start the node's processes; they end with this one.

    `network` is auto (the best that the kernel allows) or loopback (no namespaces at all).
    """
    net, net_far = wire.pair()
    control, control_far = wire.pair()
    link = f"vpm{secrets.token_hex(4)}"  # of the host's network link, at most 15 characters
    far = (net_far.fileno(), control_far.fileno())
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "infra.embedded.node", *map(str, far), link, network],
        pass_fds=far,
        stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": str(PACKAGE_ROOT), "PATH": os.environ.get("PATH", os.defpath)},
    )
    net_far.close()
    control_far.close()
    return Launched(process, net, control)
