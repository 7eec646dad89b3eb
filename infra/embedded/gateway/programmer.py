"""Envoy's files: what the gateway wants, written so that Envoy sees whole versions only."""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.embedded.gateway import envoy, listeners
from infra.embedded.gateway.backends import Limits
from infra.embedded.gateway.certificates import Certificate
from infra.embedded.gateway.envoy import EXTERNAL, INTERNAL, Backend, Json
from infra.embedded.gateway.faults import TRUNCATOR, AppFault, of_ingress
from infra.embedded.gateway.routes import Routing

_SCRIPT = Path(__file__).with_name("gateway.lua")


@dataclass(slots=True)
class Programmer:
    """Writes a file only when its content changes; Envoy reads it when it is moved into place."""

    folder: Path
    activator: str  # the socket that answers probes
    truncator: str  # the socket that answers with half a body
    _written: dict[str, str] = field(default_factory=dict)
    _clusters: dict[str, str] = field(default_factory=dict)
    _hosts: dict[str, tuple[object, dict[str, str]]] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """The files that listeners refer to."""
        return {
            f"routes_{EXTERNAL}": str(self.folder / "routes-external.json"),
            f"routes_{INTERNAL}": str(self.folder / "routes-internal.json"),
            "secrets": str(self.folder / "secrets.json"),
        }

    def bootstrap(self, admin: str) -> Path:
        """Write what Envoy starts with; listeners and routes may follow later."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.write_listeners([])
        self.clusters(())
        self.routes({}, {})
        watched = (str(self.folder / "listeners.json"), str(self.folder / "clusters.json"))
        path = self.folder / "bootstrap.json"
        path.write_text(json.dumps(listeners.bootstrap(admin, *watched)))
        return path

    def write_listeners(self, wanted: Sequence[Json]) -> None:
        """All listeners."""
        self._write("listeners.json", json.dumps(envoy.resources(wanted)))

    def listener(
        self,
        name: str,
        address: tuple[str, int],
        routes: str,
        addresses: tuple[str, str],
        refused: Sequence[str],
        certificates: Sequence[Certificate],
    ) -> Json:
        """A listener; `addresses` are the two that apps see in X-Forwarded-For."""
        script = _SCRIPT.read_text("utf-8")
        script = script.replace("NODE", addresses[0]).replace("ACTIVATOR", addresses[1])
        return listeners.listener(
            name,
            address,
            routes=routes,
            files=self.files,
            script=script,
            refused=refused,
            certificates=certificates,
        )

    def secret(self, certificate: bytes, key: bytes) -> None:
        """The certificate of HTTPS listeners."""
        secret = listeners.secret(certificate.decode(), key.decode())
        self._write("secrets.json", json.dumps(envoy.resources([secret])))

    def backend(self, name: str, limit: Limits, backends: Sequence[Backend]) -> None:
        """Who answers for a backend; `clusters` writes it."""
        self._clusters[name] = json.dumps(envoy.cluster(name, limit, backends))

    def clusters(self, names: Collection[str]) -> bool:
        """Write these backends and no others; returns whether anything changed."""
        for name in self._clusters.keys() - set(names):
            del self._clusters[name]
        own = ((envoy.ACTIVATOR, self.activator), (TRUNCATOR, self.truncator))
        fixed = (json.dumps(envoy.cluster(name, Limits(), [socket])) for name, socket in own)
        return self._write("clusters.json", _document([*fixed, *self._clusters.values()]))

    def routes(
        self,
        routings: Mapping[str, Routing],
        limits: Mapping[str, Limits],
        apps: Sequence[AppFault] = (),
    ) -> None:
        """All hosts of both audiences; `apps` are the faults of the apps behind them."""
        for key in self._hosts.keys() - routings.keys():
            del self._hosts[key]
        for key, routing in routings.items():
            faults = of_ingress(apps, key)
            used = (routing, faults, tuple(limits.get(s.cluster) for s in routing.splits))
            if key not in self._hosts or self._hosts[key][0] != used:
                self._hosts[key] = (used, _render(routing, limits, faults))
        for audience in (EXTERNAL, INTERNAL):
            hosts = [hosts[audience] for _, hosts in self._hosts.values() if hosts[audience]]
            whole = json.dumps(envoy.resources([envoy.route_configuration(audience, [])]))
            filled = whole.replace('"virtual_hosts": []', f'"virtual_hosts": [{",".join(hosts)}]')
            self._write(f"routes-{audience}.json", filled)

    def _write(self, name: str, content: str) -> bool:
        if self._written.get(name) == content:
            return False
        path = self.folder / name
        temporary = path.with_name(f".{path.name}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content)
        temporary.replace(path)  # derived from the store: a crash loses nothing, so no fsync
        self._written[name] = content
        return True


def _document(resources: Sequence[str]) -> str:
    return f'{{"resources": [{",".join(resources)}]}}'


def _render(
    routing: Routing, limits: Mapping[str, Limits], apps: Sequence[AppFault]
) -> dict[str, str]:
    """The hosts of a routing for each audience, as JSON without the brackets of a list."""
    return {
        audience: json.dumps(envoy.virtual_hosts(routing, limits, audience, apps))[1:-1]
        for audience in (EXTERNAL, INTERNAL)
    }
