"""Plans for the probe engine: which URL a service has from each vantage, and how to get there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.core.dig import JsonObject
from harness.core.errors import ProbeError, UsageError
from harness.core.observation import ServiceObserved
from harness.ports import Cluster
from harness.spec.model import ProbeAction

DEVBOX, GATEWAY = "devbox", "gateway"
IN_CLUSTER, IN_CLUSTER_GATEWAY = "in-cluster", "in-cluster-gateway"
NODE, POD_PREFIX = "node", "kubectl://"
# Attempts from one vantage; more than that are only counted by the engine.
MOST_SAMPLES = 20_000
# Clocks that differ by less than this (seconds) still start together.
_CLOCKS_AGREE = 2.0
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Route:
    """How a vantage gets to a service: the URL, the real way to connect, how names resolve."""

    url: str
    connect_to: str = ""
    dns: str = "system"


@dataclass(frozen=True, slots=True)
class Probe:
    """One service seen from one vantage; `target` names it in the plan and in sample ids."""

    vantage: str
    target: str
    route: Route


def route_of(
    vantage: str,
    *,
    service: ServiceObserved,
    action: ProbeAction,
    cluster: Cluster,
    node_gateway: str = "",
) -> Route:
    """How `vantage` gets to the service; `node_gateway` is HOST:PORT of the gateway on the node.

    Errors:
        UsageError: there is no such vantage.
        ProbeError: the service or the gateway has no address that the vantage needs.
    """
    if vantage == DEVBOX:
        return _devbox(service, action, cluster)
    if vantage == GATEWAY:
        port = _gateway_port(cluster, action.scheme)
        return _through(service, action, f"{_bracketed(cluster.gateway.host)}:{port}")
    if vantage == IN_CLUSTER or vantage.startswith(POD_PREFIX):
        return Route(url=_cluster_local(service) + action.path)
    if vantage == NODE:
        return _through(service, action, node_gateway)
    if vantage == IN_CLUSTER_GATEWAY:
        internal = f"kourier.{cluster.gateway.namespace}.svc.cluster.local"
        return _through(service, action, f"{internal}:{_PORTS[action.scheme]}")
    raise UsageError(f"there is no vantage {vantage!r}")


def agent_plan(
    probes: Sequence[Probe],
    action: ProbeAction,
    *,
    place: str,
    start_at: float,
    lead: float,
    ca_pem: str = "",
) -> str:
    """The engine's plan, as JSON text, for all probes of one place.

    `start_at` is in seconds since the epoch, `lead` seconds from now: a machine to which it seems
    much further off has a wrong clock, and must not wait for it.
    """
    return json.dumps(
        {
            "version": 1,
            "vantage": place,
            "start_at": start_at,
            "start_within": max(0.0, lead) + _CLOCKS_AGREE,
            "concurrency": action.concurrency,
            "samples": "all" if has_samples(action) else "none",
            "targets": [_target(probe, action, ca_pem) for probe in probes],
        }
    )


def has_samples(action: ProbeAction) -> bool:
    """Whether each attempt has a line of its own, or there are too many for that."""
    return action.warmup + action.requests <= MOST_SAMPLES


def _devbox(service: ServiceObserved, action: ProbeAction, cluster: Cluster) -> Route:
    forwarded = cluster.gateway.forwarded
    port = _PORTS[action.scheme] if forwarded else _gateway_port(cluster, action.scheme)
    suffix = "" if port == _PORTS[action.scheme] else f":{port}"
    mode = action.dns
    if mode == "default":
        # A machine without a network cannot resolve magic names; only the emulator runs there.
        mode = "auto" if cluster.identity.emulator else "system"
    url = f"{action.scheme}://{_host(service)}{suffix}{action.path}"
    return Route(url=url, dns=mode)


def _cluster_local(service: ServiceObserved) -> str:
    """The address inside the cluster: the one it says, else the one that it would have.

    A service that was never ready says none, and that nothing answers there is worth knowing.
    """
    usual = f"http://{service.service}.{service.namespace}.svc.cluster.local"
    return (service.address or usual).rstrip("/")


def _through(service: ServiceObserved, action: ProbeAction, address: str) -> Route:
    """The public host, but connected to a gateway's address."""
    host, port = _host(service), _PORTS[action.scheme]
    url = f"{action.scheme}://{host}{action.path}"
    return Route(url=url, connect_to=f"{host}:{port}:{address}")


def _host(service: ServiceObserved) -> str:
    host = urlsplit(service.url).hostname
    if not host:
        raise ProbeError(
            f"{service.namespace}/{service.service} has no public URL (status.url)",
            mend="probe it from in-cluster only, or remove its cluster-local visibility",
        )
    return host


def _gateway_port(cluster: Cluster, scheme: str) -> int:
    port = cluster.gateway.http_port if scheme == "http" else cluster.gateway.https_port
    if port is None:
        raise ProbeError("this cluster's gateway has no HTTPS port", mend="probe with scheme: http")
    return port


def _target(probe: Probe, action: ProbeAction, ca_pem: str) -> JsonObject:
    route, body = probe.route, action.body
    return {
        "name": probe.target,
        "url": route.url,
        "requests": action.requests,
        "rate": action.rate,
        "warmup": action.warmup,
        "timeout": action.timeout,
        "method": action.method,
        "headers": [list(pair) for pair in action.headers.items()],
        "body_fill": action.upload,
        "resolve": [_resolved(route.url, action)] if _resolves(probe, action) else [],
        "connect_to": [route.connect_to] if route.connect_to else [],
        "dns": {"mode": "servers", "servers": [action.resolver]}
        if action.resolver
        else {"mode": route.dns},
        "tls": {"ca_pem": ca_pem} if ca_pem else {},
        "expect": {
            "status": [str(action.status)],
            "body": {
                "exact": body.equals if body else None,
                "contains": body.contains if body else None,
                "regex": body.matches if body else None,
            },
        },
    }


def _resolves(probe: Probe, action: ProbeAction) -> bool:
    """Whether the action says what the name in a probe's URL resolves to."""
    return probe.vantage == DEVBOX and action.resolve is not None


def _resolved(url: str, action: ProbeAction) -> str:
    """The rule for it, as curl's `--resolve` has it."""
    parts = urlsplit(url)
    return (
        f"{_bracketed(parts.hostname or '')}:{parts.port or _PORTS[parts.scheme]}:{action.resolve}"
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
