"""The network between the pods: one namespace with a bridge, and one namespace for each pod.

As root the host gets one link to the bridge, so that the gateway reaches pods directly.  Without
privileges (in a user namespace) there is no link: sockets made in here are handed to the server,
which relays.  The host sees nothing but that one link, and it vanishes with this process.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from infra.embedded.node import kernel, wire

BRIDGE = "vpmbr"
SERVICES = "10.96.0.0/16"
_CANDIDATES = tuple(IPv4Network("198.18.0.0/15").subnets(new_prefix=20))
_KINDS = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM}


@dataclass(frozen=True, slots=True)
class Fabric:
    """The addresses in use: `node` is the host as the pods see it."""

    network: IPv4Network
    uplink: bool

    @property
    def node(self) -> IPv4Interface:
        return IPv4Interface((int(self.network[1]), self.network.prefixlen))

    @property
    def bridge(self) -> IPv4Interface:
        return IPv4Interface((int(self.network[2]), self.network.prefixlen))


def open_fabric(name: str, *, uplink: bool) -> tuple[Fabric, IPRoute]:
    """Move this process into a network namespace of its own and furnish it.

    Raises OSError or NetlinkError where the kernel refuses.
    """
    host = IPRoute() if uplink else None
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    kernel.unshare(kernel.CLONE_NEWNET)
    route = IPRoute()
    _up(route, "lo")
    route.link("add", ifname=BRIDGE, kind="bridge")
    if host is None:
        fabric = Fabric(_CANDIDATES[0], uplink=False)
        _address(route, BRIDGE, fabric.node)
    else:
        peer = {"ifname": name, "net_ns_fd": outside}
        route.link("add", ifname="uplink", kind="veth", peer=peer)
        _up(route, "uplink", master=_index(route, BRIDGE))
        fabric = _claim(host, name)
        host.close()
    os.close(outside)
    _address(route, BRIDGE, fabric.bridge)
    _up(route, BRIDGE)
    # Every Service address is this namespace's own: the server listens for them all.
    # So is the address of every component of the cluster, whose pods have no namespace.
    components = f"{fabric.network[wire.COMPONENTS]}/{wire.COMPONENTS_PREFIX}"
    for mine in (SERVICES, components):
        route.route("add", dst=mine, type="local", table=255, scope=254, oif=_index(route, "lo"))
    return fabric, route


def _claim(host: IPRoute, name: str) -> Fabric:
    """Give the host's end the first network that no other cluster has."""
    _up(host, name)
    index = _index(host, name)
    start = os.getpid() % len(_CANDIDATES)
    for candidate in _CANDIDATES[start:] + _CANDIDATES[:start]:
        try:
            host.route("add", dst=str(candidate), oif=index, scope=253)
        except NetlinkError:
            continue
        fabric = Fabric(candidate, uplink=True)
        host.addr("add", index=index, address=str(fabric.node.ip), prefixlen=32)
        return fabric
    raise OSError("no free network in 198.18.0.0/15: too many clusters on this machine")


def _index(route: IPRoute, name: str) -> int:
    return int(route.link_lookup(ifname=name)[0])


def _up(route: IPRoute, name: str, **more: int) -> None:
    route.link("set", index=_index(route, name), state="up", **more)


def _address(route: IPRoute, name: str, address: IPv4Interface) -> None:
    route.addr(
        "add",
        index=_index(route, name),
        address=str(address.ip),
        prefixlen=address.network.prefixlen,
    )


class NetAdmin:
    """Answers the server's requests for pod namespaces and sockets."""

    def __init__(self, control: socket.socket, fabric: Fabric, route: IPRoute) -> None:
        self._control = control
        self._fabric = fabric
        self._route = route
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._bridge = _index(route, BRIDGE)

    def run(self) -> None:
        """Serve until the server goes away.

        `attach` {address, link} answers with the pod's namespace; `socket` {kind, address?,
        port?} with a socket of the fabric, listening if it is a stream with an address.
        """
        while (received := wire.receive(self._control)) is not None:
            message, _fds = received
            try:
                fd = self._attach(message) if message["op"] == "attach" else _socket(message)
            except (OSError, NetlinkError, ValueError, OverflowError) as error:
                wire.send(self._control, {"id": message["id"], "error": str(error)})
                continue
            wire.send(self._control, {"id": message["id"]}, [fd])
            os.close(fd)

    def _attach(self, message: Mapping[str, str]) -> int:
        kernel.unshare(kernel.CLONE_NEWNET)
        try:
            namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
            inside = IPRoute()
        finally:
            kernel.setns(self._home, kernel.CLONE_NEWNET)
        try:
            self._furnish(inside, namespace, message["address"], message["link"])
        finally:
            inside.close()
        return namespace

    def _furnish(self, inside: IPRoute, namespace: int, address: str, link: str) -> None:
        peer = {"ifname": "eth0", "net_ns_fd": namespace}
        self._route.link("add", ifname=link, kind="veth", peer=peer)
        _up(self._route, link, master=self._bridge)
        prefix = self._fabric.network.prefixlen
        _up(inside, "lo")
        _address(inside, "eth0", IPv4Interface(f"{address}/{prefix}"))
        _up(inside, "eth0")
        inside.route("add", dst="default", gateway=str(self._fabric.bridge.ip))


def _socket(message: Mapping[str, object]) -> int:
    made = socket.socket(socket.AF_INET, _KINDS[str(message["kind"])])
    try:
        if address := message.get("address"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((str(address), int(str(message["port"]))))
            if message["kind"] == "stream":
                made.listen(1024)
        return made.detach()
    finally:
        made.close()
