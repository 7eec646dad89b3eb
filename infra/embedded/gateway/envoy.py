"""Envoy's configuration as JSON, from what the gateway is to do: pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infra.embedded.gateway.backends import Limits
from infra.embedded.gateway.faults import AppFault, afflict
from infra.embedded.gateway.routes import Path, Routing, Rule, Split

Json = dict[str, Any]
Backend = str | tuple[str, int]  # the path of a local socket, or address and port

PROBE_HEADER = "x-vpm-probe"  # set by gateway.lua, never seen by apps
HASH_HEADER = "K-Network-Hash"
USER_AGENT = "Knative-Ingress-Probe"  # of the gateway's own probes
ACTIVATOR = "activator"  # the cluster that answers probes
EXTERNAL, INTERNAL = "external", "internal"
API = "type.googleapis.com/envoy"
_UNLIMITED = 1_000_000
_HTTP1: Json = {"explicit_http_config": {"http_protocol_options": {}}}
_HTTP2: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
_IDLE_SECONDS = 60  # of connections to apps


def resources(items: Iterable[Json]) -> Json:
    """A discovery response, the form of a watched file."""
    return {"resources": list(items)}


def virtual_hosts(
    routing: Routing, limits: Mapping[str, Limits], audience: str, apps: Sequence[AppFault] = ()
) -> list[Json]:
    """The hosts of one KIngress for an audience (EXTERNAL sees only external rules).

    `apps` are the faults of the apps behind it.
    """
    made = []
    for number, rule in enumerate(routing.rules):
        if audience == INTERNAL or rule.external:
            name = f"{routing.namespace}/{routing.name}/{number}"
            made.append(_virtual_host(name, rule, routing, limits, audience, apps))
    return made


def _virtual_host(
    name: str,
    rule: Rule,
    routing: Routing,
    limits: Mapping[str, Limits],
    audience: str,
    apps: Sequence[AppFault],
) -> Json:
    to_apps = [_route(path, limits) for path in rule.paths if path.splits]
    if rule.plain:
        to_apps = [*(_probed(route, routing.version) for route in to_apps), *to_apps]
    host: Json = {
        "name": name,
        "domains": list(rule.hosts),
        "routes": [
            _probe_route(routing.version, own=rule.plain),
            *(afflicted for route in to_apps for afflicted in afflict(route, apps)),
        ],
    }
    if routing.redirect and audience == EXTERNAL and rule.external:
        host["require_tls"] = "ALL"
    return host


def _probe_route(version: str, *, own: bool) -> Json:
    """Probes are answered by the activator, which returns the version that it is handed.

    With `own` only the gateway's are: others' reach the plain Services behind the rule.
    """
    agent = {"name": "user-agent", "string_match": {"exact": USER_AGENT}}
    return {
        "match": {
            "prefix": "/",
            "headers": [{"name": PROBE_HEADER, "present_match": True}, *([agent] if own else [])],
        },
        "route": {"cluster": ACTIVATOR, "timeout": "5s"},
        "request_headers_to_add": [_header("x-vpm-hash", version)],
    }


def _probed(route: Json, version: str) -> Json:
    """The route for requests that ask which version of the KIngress is served."""
    asks = {"name": HASH_HEADER, "string_match": {"exact": "override"}}
    match = route["match"]
    return {
        **route,
        "match": {**match, "headers": [*match.get("headers", ()), asks]},
        "request_headers_to_add": [
            *route.get("request_headers_to_add", ()),
            _header(HASH_HEADER, version),
        ],
    }


def _route(path: Path, limits: Mapping[str, Limits]) -> Json:
    known = [limits.get(split.cluster, Limits()) for split in path.splits]
    action: Json = {
        "timeout": "0s",
        "idle_timeout": f"{max(limit.idle if limit.http2 else 0 for limit in known):g}s",
        "retry_policy": {
            "retry_on": "connect-failure,reset-before-request",
            "num_retries": 1,
            "per_try_timeout": f"{max(limit.timeout for limit in known):g}s",
        },
        "weighted_clusters": {
            "clusters": [_weighted(s, limit) for s, limit in zip(path.splits, known, strict=True)]
        },
    }
    if path.rewrite_host:
        action["host_rewrite_literal"] = path.rewrite_host
    match: Json = {"prefix": path.prefix}
    if path.match:
        match["headers"] = [
            {"name": name, "string_match": {"exact": value}} for name, value in path.match
        ]
    route: Json = {"match": match, "route": action}
    if path.headers:
        route["request_headers_to_add"] = [_header(*pair) for pair in path.headers]
    return route


def _weighted(split: Split, limit: Limits) -> Json:
    headers = list(split.headers)
    if limit.activator:
        headers.append(("K-Proxy-Request", "activator"))
    entry: Json = {"name": split.cluster, "weight": split.percent}
    if headers:
        entry["request_headers_to_add"] = [_header(*pair) for pair in headers]
    return entry


def _header(name: str, value: str) -> Json:
    return {
        "header": {"key": name, "value": value.replace("%", "%%")},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def route_configuration(name: str, hosts: Sequence[Json]) -> Json:
    """All hosts of one audience."""
    return {
        "@type": f"{API}.config.route.v3.RouteConfiguration",
        "name": name,
        "virtual_hosts": list(hosts),
        "ignore_port_in_host_matching": True,
        "request_headers_to_remove": ["x-envoy-expected-rq-timeout-ms", "x-envoy-internal"],
    }


def cluster(name: str, limit: Limits, backends: Sequence[Backend]) -> Json:
    """A cluster with its endpoints.

    They are part of the cluster because each watched file of endpoints costs Envoy an inotify
    instance, of which a user has 128.
    """
    return {
        "@type": f"{API}.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "load_assignment": load_assignment(name, backends),
        **_cluster_options(limit),
    }


def _cluster_options(limit: Limits) -> Json:
    options: Json = {
        "@type": f"{API}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": f"{_IDLE_SECONDS}s"},
        **(_HTTP2 if limit.http2 else _HTTP1),
    }
    if limit.one_by_one:
        options["common_http_protocol_options"]["max_requests_per_connection"] = 1
    wide = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {
        "connect_timeout": "5s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [dict.fromkeys(wide, _UNLIMITED)]},
        "typed_extension_protocol_options": {
            f"{API.partition('/')[2]}.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }


def load_assignment(name: str, backends: Sequence[Backend]) -> Json:
    """The endpoints of a cluster."""
    return {
        "cluster_name": name,
        "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": socket_address(b)}} for b in backends]}
        ],
    }


def socket_address(backend: Backend) -> Json:
    """(address, port), or the path of a local socket."""
    if isinstance(backend, str):
        return {"pipe": {"path": backend}}
    return {"socket_address": {"address": backend[0], "port_value": backend[1]}}


def watched(path: str) -> Json:
    """A configuration source: a file that is read whenever it is replaced."""
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}
