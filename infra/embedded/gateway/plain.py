"""Plain Services as backends: what KIngresses that people write lead to."""

from collections.abc import Callable, Iterable, Mapping

from infra.embedded.errors import NotFound
from infra.embedded.gateway.backends import Limits
from infra.embedded.kinds import SERVICE
from infra.embedded.kubelet.environment import ConfigError
from infra.embedded.kubelet.services import ready_endpoints
from infra.embedded.store import Obj, Store

Address = tuple[str, int]
_HTTP2 = ("http2", "h2c")  # names of ports, by which kourier knows


def is_plain(name: str) -> bool:
    """Whether a backend is a port of a Service (`namespace/service:port`) and no revision."""
    return ":" in name


class PlainServices:
    """Looks up Services; `own` are the gateway's, by their names in the cluster's DNS.

    An ExternalName may lead to these: that is how a host is rewritten to one of the cluster's.
    """

    def __init__(self, store: Store, own: Callable[[], Mapping[str, Address]]) -> None:
        self._store = store
        self._own = own
        self._used: set[str] = set()

    def present(self, backends: Iterable[str]) -> bool:
        """Whether all Services of these backends are there; they are looked at from now on."""
        names = {name.rpartition(":")[0] for name in backends if is_plain(name)}
        self._used |= names
        return all(self._find(name) is not None for name in names)

    def concerns(self, namespace: str, service: str) -> bool:
        """Whether a route leads, or would lead, to this Service."""
        return f"{namespace}/{service}" in self._used

    def limits(self, backend: str) -> Limits:
        """No limits, for no queue-proxy is there; only the protocol."""
        service = self._find(backend.rpartition(":")[0]) or {"spec": {}}
        named = {port.get("name") for port in service["spec"].get("ports") or ()}
        return Limits(timeout=0.0, http2=not named.isdisjoint(_HTTP2), activator=False)

    def behind(self, backend: str) -> list[Address]:
        """The addresses of the ready endpoints behind a port of a Service."""
        name, _, port = backend.rpartition(":")
        service = self._find(name)
        if service is None:
            return []
        external = service["spec"].get("externalName")
        if service["spec"].get("type") == "ExternalName" and external in self._own():
            return [self._own()[external]]
        number = _number(service, port)
        try:
            return ready_endpoints(self._store, service, number) if number else []
        except ConfigError:
            return []  # a target port that no container has

    def _find(self, name: str) -> Obj | None:
        try:
            return self._store.get(SERVICE, *name.split("/"))
        except NotFound:
            return None


def _number(service: Obj, port: str) -> int | None:
    for entry in service["spec"].get("ports") or ():
        if port in (str(entry["port"]), entry.get("name")):
            return int(entry["port"])
    return None
