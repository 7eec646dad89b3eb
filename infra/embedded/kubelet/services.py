"""Services' own addresses: connections of pods to them, relayed to an endpoint.

The fabric owns the whole Service range, so one listener per port number serves all Services: the
address that a client meant is the connection's own local address.
"""

import asyncio
import random
import socket

from infra.embedded.following import follow
from infra.embedded.kinds import ENDPOINTSLICE, POD, SERVICE
from infra.embedded.kubelet import relay
from infra.embedded.kubelet.environment import ConfigError, Obj, port_number
from infra.embedded.kubelet.node import Node
from infra.embedded.store import Event, Store

QUEUE_PROXY_PORTS = (8012, 8013)
ANY = "0.0.0.0"
_VIRTUAL = ("ClusterIP", "NodePort", "LoadBalancer")


class ServiceProxy:
    """Listens on every port that a Service has."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._servers: dict[int, asyncio.Server] = {}
        self._by_address: dict[str, tuple[str, str]] = {}

    async def run(self) -> None:
        """Follow the Services until cancelled."""
        if self._node.network.mode == "loopback":
            return
        try:
            for _, port in self._node.network.forwards:
                await self._listen(port)
            await follow(self._node.store, self._changed, SERVICE)
        finally:
            for server in self._servers.values():
                server.close()

    async def _changed(self, event: Event) -> None:
        await self._update(event.obj, gone=event.type == "DELETED")

    async def _update(self, service: Obj, *, gone: bool) -> None:
        spec, meta = service["spec"], service["metadata"]
        address = spec.get("clusterIP")
        if not address or address == "None" or spec.get("type", "ClusterIP") not in _VIRTUAL:
            return
        if gone:
            self._by_address.pop(address, None)
            return
        self._by_address[address] = (meta["namespace"], meta["name"])
        for port in spec.get("ports") or ():
            if port.get("protocol", "TCP") == "TCP":
                await self._listen(int(port["port"]))

    async def _listen(self, port: int) -> None:
        if port in self._servers:
            return
        listener = await self._node.network.listen("stream", ANY, port)
        if listener is not None:
            self._servers[port] = await asyncio.start_server(self._accept, sock=listener)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = writer.get_extra_info("sockname")[:2]
        try:
            far = await asyncio.open_connection(sock=await self._dial(address, port))
        except (OSError, ConfigError):
            writer.transport.abort()
            return
        await relay.splice((reader, writer), far)

    async def _dial(self, address: str, port: int) -> socket.socket:
        """A connection to what stands behind a Service's address; raises OSError."""
        forwarded = self._node.network.forwards.get((address, port))
        if forwarded is not None:
            return await _dial_host(forwarded)
        known = self._by_address.get(address)
        service = self._node.store.find(SERVICE, *known) if known else None
        if service is None:
            raise ConnectionRefusedError("no such Service")
        endpoints = ready_endpoints(self._node.store, service, port)
        if not endpoints:
            raise ConnectionRefusedError("no ready endpoint")
        return await self._node.network.dial(*random.choice(endpoints))


async def _dial_host(address: tuple[str, int]) -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def ready_endpoints(store: Store, service: Obj, port: int) -> list[tuple[str, int]]:
    """Addresses and ports of a Service's ready endpoints.

    A revision's Services lead to queue-proxy, which the node plays: to the app itself.
    """
    entry = next((p for p in service["spec"].get("ports") or () if int(p["port"]) == port), None)
    if entry is None:
        return []
    labels = service["metadata"].get("labels") or {}
    name, private = service["metadata"]["name"], "networking.internal.knative.dev/serviceType"
    if labels.get(private) == "Public":
        name = f"{name}-private"
    selector = {"kubernetes.io/service-name": name}
    found: list[tuple[str, int]] = []
    for endpoints in store.list(ENDPOINTSLICE, service["metadata"]["namespace"], selector):
        for endpoint in endpoints.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready", True):
                pod = store.find(POD, service["metadata"]["namespace"], _target(endpoint))
                found += [(a, _port(entry, pod)) for a in endpoint["addresses"]]
    return found


def _target(endpoint: Obj) -> str:
    return str((endpoint.get("targetRef") or {}).get("name", ""))


def _port(entry: Obj, pod: Obj | None) -> int:
    wanted = entry.get("targetPort", entry["port"])
    if pod is None:
        return int(wanted)
    containers = pod["spec"]["containers"]
    if str(wanted) in map(str, QUEUE_PROXY_PORTS):
        return app_port(pod)
    for container in containers:
        try:
            return port_number(container, wanted)
        except ConfigError:
            continue
    raise ConfigError(f"no container has a port named {wanted!r}")


def app_port(pod: Obj) -> int:
    """The port of the app that queue-proxy stands before."""
    for container in pod["spec"]["containers"]:
        for entry in container.get("env") or ():
            if entry["name"] == "USER_PORT" and entry.get("value"):
                return int(entry["value"])
    ports = pod["spec"]["containers"][0].get("ports") or [{"containerPort": 8080}]
    return int(ports[0]["containerPort"])
