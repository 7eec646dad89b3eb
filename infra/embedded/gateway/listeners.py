"""Envoy's listeners and start-up configuration as JSON: pure functions."""

from collections.abc import Mapping, Sequence

from infra.embedded.gateway.certificates import Certificate
from infra.embedded.gateway.envoy import API, Json, socket_address, watched
from infra.embedded.gateway.faults import refusal


def listener(
    name: str,
    address: tuple[str, int],
    *,
    routes: str,
    files: Mapping[str, str],
    script: str,
    refused: Sequence[str] = (),
    certificates: Sequence[Certificate] = (),
) -> Json:
    """A listener for an audience's routes; `files` has routes_<routes> and secrets.

    `refused` are sources (CIDR) whose connections are turned away; `certificates` those of hosts
    that do not have the gateway's own.
    """
    filters = [*refusal(refused), _connection_manager(name, routes, files, script)]
    chain: Json = {"filters": filters}
    own: list[Json] = []
    if name.startswith("https"):
        secret = {"name": "gateway", "sds_config": watched(files["secrets"])}
        chain |= _tls({"tls_certificate_sds_secret_configs": [secret]})
        own = [
            {
                "filter_chain_match": {"server_names": list(one.hosts)},
                "filters": filters,
                **_tls({"tls_certificates": [_inline(one.chain, one.key)]}),
            }
            for one in certificates
        ]
    return {
        "@type": f"{API}.config.listener.v3.Listener",
        "name": name,
        "address": socket_address(address),
        "enable_reuse_port": False,
        **({"listener_filters": [_INSPECTOR]} if own else {}),
        "filter_chains": [*own, chain],
    }


_INSPECTOR: Json = {
    "name": "envoy.filters.listener.tls_inspector",
    "typed_config": {"@type": f"{API}.extensions.filters.listener.tls_inspector.v3.TlsInspector"},
}


def _tls(certificate: Json) -> Json:
    """What makes a filter chain speak TLS."""
    return {
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{API}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {"alpn_protocols": ["h2", "http/1.1"], **certificate},
            },
        }
    }


def _inline(chain: str, key: str) -> Json:
    return {
        "certificate_chain": {"inline_string": chain},
        "private_key": {"inline_string": key},
    }


def _connection_manager(name: str, routes: str, files: Mapping[str, str], script: str) -> Json:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{API}.extensions.filters.network.http_connection_manager.v3"
            ".HttpConnectionManager",
            "stat_prefix": name,
            "rds": {
                "route_config_name": routes,
                "config_source": watched(files[f"routes_{routes}"]),
            },
            "http_filters": [_lua(script), _filter("fault", "HTTPFault"), _filter("router")],
            "stream_idle_timeout": "0s",
            "use_remote_address": False,
            "preserve_external_request_id": True,
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "access_log": [_ACCESS_LOG],
            "local_reply_config": {"mappers": [_reply(*row) for row in _REPLIES]},
        },
    }


def _filter(name: str, message: str = "Router") -> Json:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{API}.extensions.filters.http.{name}.v3.{message}"},
    }


def _lua(script: str) -> Json:
    source = {"default_source_code": {"inline_string": script}}
    made = _filter("lua", "Lua")
    made["typed_config"] |= source
    return made


_ACCESS_LOG: Json = {
    "name": "envoy.access_loggers.stdout",
    "typed_config": {"@type": f"{API}.extensions.access_loggers.stream.v3.StdoutAccessLog"},
}
# Envoy's own failures in the words of the proxies that stand on a real cluster's path.
_REPLIES: tuple[tuple[list[str], int | None, str], ...] = (
    (["FI"], None, "internal error\n"),  # an app fault: any status, as if the app had answered
    (["UT", "SI"], 504, "activator request timeout"),
    (["UF"], 502, "dial tcp 127.0.0.1:8080: connect: connection refused\n"),
    (["UC", "UR"], 502, "EOF\n"),
    (["UPE"], 502, "http2: failed reading the frame payload: %%!w(<nil>), note that the frame"
                   " header looked like an HTTP/1.1 header\n"),
)  # fmt: skip


def _reply(flags: list[str], status: int | None, body: str) -> Json:
    headers = [_formatted("x-envoy-upstream-service-time", "%DURATION%")]
    if body.endswith("\n"):
        headers.append(_formatted("x-content-type-options", "nosniff"))
    return {
        "filter": {"response_flag_filter": {"flags": flags}},
        **({"status_code": status} if status else {}),
        "headers_to_add": headers,
        "body_format_override": {
            "text_format_source": {"inline_string": body},
            "content_type": "text/plain; charset=utf-8",
        },
    }


def _formatted(name: str, value: str) -> Json:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def secret(certificate: str, key: str) -> Json:
    """The HTTPS listeners' certificate."""
    return {
        "@type": f"{API}.extensions.transport_sockets.tls.v3.Secret",
        "name": "gateway",
        "tls_certificate": _inline(certificate, key),
    }


def bootstrap(admin: str, listeners: str, clusters: str) -> Json:
    """What Envoy is started with; `admin` is a socket path, the others are watched files."""
    kept = (
        r"cluster\..*\.upstream_rq_(active|total)",
        r"listener\..*\.downstream_cx_(active|total)",
        r"(cluster|listener)_manager\..*",
    )
    return {
        "node": {"id": "gateway", "cluster": "gateway"},
        "admin": {"address": {"pipe": {"path": admin}}},
        "dynamic_resources": {
            "lds_config": watched(listeners),
            "cds_config": watched(clusters),
        },
        "stats_config": {
            "stats_matcher": {
                "inclusion_list": {
                    "patterns": [{"safe_regex": {"regex": pattern}} for pattern in kept]
                }
            }
        },
    }
