"""Envoy's configuration from routings and limits."""

from typing import Any

import pytest

from infra.embedded.gateway import envoy, listeners
from infra.embedded.gateway.backends import Limits
from infra.embedded.gateway.envoy import EXTERNAL, INTERNAL
from infra.embedded.gateway.routes import routing
from tests.support.kingress import ingress, split

ONE = routing(ingress(split("a", 100)))
TWO = routing(ingress(split("a", 80), split("b", 20)))
FILES = {"routes_external": "r", "secrets": "s"}


def route(limits: dict[str, Limits], audience: str = EXTERNAL) -> dict[str, Any]:
    """The route to the app of the first host."""
    hosts = envoy.virtual_hosts(TWO, limits, audience)
    found: dict[str, Any] = hosts[0]["routes"][-1]
    return found


def test_the_outside_sees_external_hosts_only() -> None:
    assert [h["domains"] for h in envoy.virtual_hosts(ONE, {}, EXTERNAL)] == [
        ["hello.default.example.com"]
    ]


def test_the_inside_sees_all_hosts() -> None:
    assert [h["domains"] for h in envoy.virtual_hosts(ONE, {}, INTERNAL)] == [
        ["hello.default"],
        ["hello.default.example.com"],
    ]


def test_probes_are_answered_with_the_version() -> None:
    probe = envoy.virtual_hosts(ONE, {}, EXTERNAL)[0]["routes"][0]
    assert probe["match"]["headers"] == [{"name": envoy.PROBE_HEADER, "present_match": True}]
    assert probe["route"]["cluster"] == envoy.ACTIVATOR
    assert probe["request_headers_to_add"][0]["header"]["value"] == ONE.version


def test_traffic_is_split_by_weight() -> None:
    clusters = route({})["route"]["weighted_clusters"]["clusters"]
    assert {c["name"]: c["weight"] for c in clusters} == {"default/a": 80, "default/b": 20}


def test_the_timeout_is_one_until_the_first_byte() -> None:
    action = route({"default/a": Limits(timeout=3), "default/b": Limits(timeout=7)})["route"]
    assert action["timeout"] == "0s"
    assert action["retry_policy"]["per_try_timeout"] == "7s"


@pytest.mark.parametrize("activator", [True, False])
def test_apps_hear_of_the_activator_where_it_stands_in_the_path(activator: bool) -> None:
    limits = {name: Limits(activator=activator) for name in ("default/a", "default/b")}
    for entry in route(limits)["route"]["weighted_clusters"]["clusters"]:
        added = [h["header"]["key"] for h in entry.get("request_headers_to_add", [])]
        assert ("K-Proxy-Request" in added) is activator


def test_a_percent_sign_in_a_header_is_no_command_to_envoy() -> None:
    one = routing(ingress(split("a", 100, X="50%")))
    entry = envoy.virtual_hosts(one, {}, EXTERNAL)[0]["routes"][-1]["route"]
    header = entry["weighted_clusters"]["clusters"][0]["request_headers_to_add"][0]["header"]
    assert header == {"key": "X", "value": "50%%"}


def options(limit: Limits) -> dict[str, Any]:
    made = envoy.cluster("default/a", limit, [])["typed_extension_protocol_options"]
    found: dict[str, Any] = next(iter(made.values()))
    return found


def test_h2c_backends_are_spoken_to_in_http2() -> None:
    assert "http2_protocol_options" in options(Limits(http2=True))["explicit_http_config"]
    assert "http_protocol_options" in options(Limits())["explicit_http_config"]


def test_a_hard_limit_counts_connections() -> None:
    key = "max_requests_per_connection"
    assert options(Limits(concurrency=1))["common_http_protocol_options"][key] == 1
    assert key not in options(Limits())["common_http_protocol_options"]


@pytest.mark.parametrize(
    ("backend", "address"),
    [
        (("10.0.0.1", 80), {"socket_address": {"address": "10.0.0.1", "port_value": 80}}),
        ("@name", {"pipe": {"path": "@name"}}),
    ],
)
def test_addresses(backend: str | tuple[str, int], address: dict[str, Any]) -> None:
    made = envoy.load_assignment("n", [backend])["endpoints"][0]["lb_endpoints"]
    assert [e["endpoint"]["address"] for e in made] == [address]


def test_only_the_https_listener_has_a_certificate() -> None:
    made = {
        name: listeners.listener(name, ("127.0.0.1", 1), routes=EXTERNAL, files=FILES, script="")
        for name in ("http", "https")
    }
    assert "transport_socket" not in made["http"]["filter_chains"][0]
    assert "transport_socket" in made["https"]["filter_chains"][0]
