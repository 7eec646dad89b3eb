"""The pods' network as the server sees it: addresses, sockets and relays."""

import asyncio
import errno
import os
import random
import socket
from collections import deque
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from infra.embedded.kubelet import relay
from infra.embedded.kubelet.channel import Channel, NodeError
from infra.embedded.node import wire

FIRST_POD = 2 * wire.COMPONENTS  # addresses below belong to the node and to components
# Addresses of the pods of the cluster's own components, which have no network namespace.
_GATEWAY, _ACTIVATOR = "3scale-kourier-gateway", "activator"
_COMPONENTS = (
    _GATEWAY, _ACTIVATOR, "autoscaler", "controller", "webhook", "net-kourier-controller",
)  # fmt: skip
LOOPBACK = IPv4Network("127.0.0.0/8")
CONNECT_SECONDS = 5.0


class PodNetwork:
    """How pods are reached and what they reach.

    `mode` is netns (a namespace and address for each pod), userns (the same without privileges,
    behind relays) or loopback (an address of 127.0.0.0/8 for each pod, all ports shared);
    `reason` says why it is not a better one; `node` is the host's address as pods see it.
    """

    def __init__(self, channel: Channel, greeting: wire.Message) -> None:
        self._channel = channel
        self.mode: str = greeting["mode"]
        self.reason: str = greeting.get("reason", "")
        self.isolated = bool(greeting.get("isolated", True))
        if self.mode == "loopback":
            block = IPv4Address(int(LOOPBACK[0]) + random.randrange(64, 250) * 65536)
            self.pods = IPv4Network(f"{block}/16")
            self.node = str(self.pods[1])
        else:
            self.pods = IPv4Network(greeting["network"])
            self.node = str(greeting["node"])
        self._unused: Iterator[IPv4Address] = iter(self.pods.hosts())
        for _ in range(FIRST_POD - 1):
            next(self._unused)
        self._returned: deque[str] = deque()
        self._fixed = {
            name: str(self.pods[place])
            for place, name in enumerate(_COMPONENTS, start=wire.COMPONENTS)
        }
        self._taken: set[str] = set()  # of those addresses
        self._relays: dict[tuple[str, int], asyncio.Server] = {}
        self._ports: dict[tuple[str, int], int] = {}
        self._links = 0
        # Addresses that pods reach and the host's own processes answer.
        self.forwards: dict[tuple[str, int], tuple[str, int]] = {}

    @property
    def activator(self) -> str:
        """The address of the activator's pod, the first one where there are several."""
        return self._fixed[_ACTIVATOR]

    @property
    def gateway(self) -> str:
        """The address of the gateway's pod, the first one where there are several."""
        return self._fixed[_GATEWAY]

    def allocate(self, component: str = "") -> str:
        """An address for a pod; one given back is used again as late as possible.

        The first pod of a component has an address that is known beforehand.
        """
        fixed = self._fixed.get(component, "")
        if fixed and fixed not in self._taken:
            self._taken.add(fixed)
            return fixed
        for address in self._unused:
            return str(address)
        return self._returned.popleft()

    def release(self, address: str) -> None:
        """Give an address back and end its relays."""
        if address in self._taken:
            self._taken.discard(address)
        else:
            self._returned.append(address)
        for key in [key for key in self._relays if key[0] == address]:
            self._relays.pop(key).close()
        for key in [key for key in self._ports if key[0] == address]:
            del self._ports[key]

    def port(self, address: str, port: int) -> int:
        """The port that a pod's app is told to use for `port`.

        On loopback all pods share the ports, so each gets one of its own.
        """
        if self.mode != "loopback":
            return port
        if (address, port) not in self._ports:
            with socket.socket() as probe:
                probe.bind(("", 0))
                self._ports[address, port] = probe.getsockname()[1]
        return self._ports[address, port]

    async def attach(self, address: str) -> int | None:
        """A network namespace with this address (a descriptor to close); None on loopback."""
        if self.mode == "loopback":
            return None
        self._links += 1
        link = f"pod{self._links}"
        _, fds = await self._channel.request({"op": "attach", "address": address, "link": link})
        return fds[0]

    async def dial(self, address: str, port: int) -> socket.socket:
        """A connection from the node to a pod; raises OSError."""
        if self.mode == "userns":
            try:
                _, fds = await self._channel.request({"op": "socket", "kind": "stream"})
            except NodeError as error:
                raise OSError(errno.EHOSTUNREACH, str(error)) from error
            made = socket.socket(fileno=fds[0])
        else:
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                there = (address, self._ports.get((address, port), port))
                await asyncio.get_running_loop().sock_connect(made, there)
        except BaseException:
            made.close()
            raise
        return made

    async def expose(self, address: str, port: int) -> tuple[str, int]:
        """Where the host's own processes reach a pod's port."""
        if self.mode != "userns":
            return address, self._ports.get((address, port), port)
        if (address, port) not in self._relays:
            self._relays[address, port] = await relay.serve(
                ("127.0.0.1", 0), lambda: self.dial(address, port)
            )
        name: tuple[str, int] = self._relays[address, port].sockets[0].getsockname()
        return name

    async def listen(self, kind: str, address: str, port: int) -> socket.socket | None:
        """A socket (`stream`, listening, or `dgram`) at an address that pods reach.

        None on loopback, where there is no network between the pods.
        """
        if self.mode == "loopback":
            return None
        _, fds = await self._channel.request(
            {"op": "socket", "kind": kind, "address": address, "port": port}
        )
        made = socket.socket(fileno=fds[0])
        made.setblocking(False)
        return made

    def close(self) -> None:
        """End all relays."""
        for server in self._relays.values():
            server.close()


def close_namespace(namespace: int | None) -> None:
    """Let go of a pod's namespace; it vanishes with the last process in it."""
    if namespace is not None:
        os.close(namespace)
