"""Start the node's processes: `python -P -m infra.embedded.node NET_FD INIT_FD LINK NETWORK`.

This process becomes `netadmin`; its child becomes `init`.  The first message on NET_FD says which
kind of pod network came out, and why not a better one.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.embedded.node import init, kernel, wire


def main(arguments: Sequence[str]) -> None:
    """Run until the server goes away."""
    kernel.die_with_parent()
    net = socket.socket(fileno=int(arguments[0]))
    control = socket.socket(fileno=int(arguments[1]))
    name = arguments[2]
    root = os.geteuid() == 0
    problem = "as asked for" if arguments[3] == "loopback" else _isolate(root=root)
    isolated = not problem
    _start_init(net, control, isolated=isolated)
    if isolated:
        problem = _serve_network(net, name, root=root)
    if problem:
        wire.send(net, {"mode": "loopback", "isolated": isolated, "reason": problem})
        wire.receive(net)


def _isolate(*, root: bool) -> str:
    """Have children live in a process namespace; returns why that cannot be, else nothing."""
    try:
        if not root:
            _become_root_of_a_user_namespace()
        kernel.unshare(kernel.CLONE_NEWPID)
    except OSError as error:
        return f"the kernel refuses namespaces to this user ({error})"
    return ""


def _serve_network(net: socket.socket, name: str, *, root: bool) -> str:
    """Serve the pods' network until the server goes away; else say why that cannot be."""
    from pyroute2.netlink.exceptions import NetlinkError

    from infra.embedded.node import netadmin  # pyroute2 is large: only this process pays for it

    try:
        fabric, route = netadmin.open_fabric(name, uplink=root)
    except (OSError, NetlinkError) as error:
        return f"no network namespaces here ({error})"
    mode = "netns" if root else "userns"
    wire.send(net, {"mode": mode, "network": str(fabric.network), "node": str(fabric.node.ip)})
    netadmin.NetAdmin(net, fabric, route).run()
    return ""


def _become_root_of_a_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        Path("/proc/self", file).write_text(line, encoding="ascii")


def _start_init(net: socket.socket, control: socket.socket, *, isolated: bool) -> None:
    """Fork `init`; as the first child after CLONE_NEWPID it is process 1 of the pods."""
    if os.fork() != 0:
        control.close()
        return
    net.close()
    kernel.die_with_parent()
    if isolated:
        init.isolate()
    init.main(control)
    os._exit(0)


if __name__ == "__main__":
    # A server that ended says why itself; a broken pipe to it is no news.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main(sys.argv[1:])
