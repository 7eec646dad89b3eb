"""Fault types, their parameters, and what they break together."""

from typing import Any

import pytest

from infra.embedded.faults.api import ApiFault
from infra.embedded.faults.definition import definition
from infra.embedded.faults.model import PARAMETERS, Broken, Fault, FaultError, broken
from infra.embedded.gateway.envoy import EXTERNAL, virtual_hosts
from infra.embedded.gateway.faults import AppFault, Exposure, GatewayFaults
from infra.embedded.gateway.routes import routing
from infra.embedded.gateway.tls import Flaw
from infra.embedded.kubelet.dns import DnsFault, DnsFaults
from tests.support.kingress import ingress, split


def effect(kind: str, **parameters: Any) -> Broken:
    return broken([Fault.parse({"type": kind, **parameters})])


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        ("gateway-not-exposed", {}, Broken(GatewayFaults(exposure=Exposure.CLOSED))),
        ("gateway-silent", {}, Broken(GatewayFaults(exposure=Exposure.SILENT))),
        ("gateway-reset", {}, Broken(GatewayFaults(exposure=Exposure.RESET))),
        ("gateway-dropped", {}, Broken(GatewayFaults(exposure=Exposure.DROPPED))),
        ("inside-not-exposed", {}, Broken(GatewayFaults(inside_closed=True))),
        (
            "gateway-error",
            {"service": "hello"},
            Broken(GatewayFaults(apps=(AppFault("by-gateway", "default/hello", status=503),))),
        ),
        ("dns-error", {"name": "a.b"}, Broken(dns=(DnsFault("a.b", failing=True),))),
        ("tls-expired", {}, Broken(GatewayFaults(flaw=Flaw.EXPIRED))),
        ("tls-wrong-name", {}, Broken(GatewayFaults(flaw=Flaw.WRONG_NAME))),
        (
            "source-refused",
            {"source": "127.0.0.9"},
            Broken(GatewayFaults(refused=("127.0.0.9/32",))),
        ),
        (
            "app-slow",
            {"service": "default/hello", "seconds": 1},
            Broken(GatewayFaults(apps=(AppFault("slow", "default/hello", 100.0, seconds=1.0),))),
        ),
        (
            "app-error",
            {"percent": 25, "status": 503},
            Broken(GatewayFaults(apps=(AppFault("error", "", 25.0, status=503),))),
        ),
        ("dns-not-found", {"name": "a.b"}, Broken(dns=(DnsFault("a.b", missing=True),))),
        ("dns-slow", {}, Broken(dns=(DnsFault(seconds=5.0),))),
        ("api-slow", {"seconds": 3}, Broken(api=ApiFault(delay=3.0))),
        ("api-down", {}, Broken(api=ApiFault(down=True))),
        ("webhook-down", {}, Broken(api=ApiFault(no_webhook=True))),
        ("component-down", {}, Broken(components=frozenset({"controller"}))),
    ],
)
def test_what_a_fault_breaks(kind: str, parameters: dict[str, Any], expected: Broken) -> None:
    assert effect(kind, **parameters) == expected


def test_every_type_breaks_something_and_is_in_the_definition() -> None:
    given = {"source-refused": {"source": "10.0.0.0/8"}}
    for kind in PARAMETERS:
        assert effect(kind, **given.get(kind, {})) != Broken(), kind
    version = definition()["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert spec["properties"]["type"]["enum"] == list(PARAMETERS)
    assert all(name in spec["properties"] for known in PARAMETERS.values() for name in known)


def test_faults_add_up() -> None:
    both = broken([Fault.parse({"type": "tls-expired"}), Fault.parse({"type": "gateway-silent"})])
    assert both.gateway == GatewayFaults(Exposure.SILENT, Flaw.EXPIRED)
    assert broken([]) == Broken()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "unknown type 'None'; known: gateway-not-exposed"),
        ({"type": "nope"}, "unknown type 'nope'"),
        (
            {"type": "app-slow", "secs": 1},
            "no parameter 'secs'; it takes service, percent, seconds",
        ),
        ({"type": "tls-expired", "seconds": 1}, "it takes none"),
        ({"type": "app-slow", "seconds": "1"}, "seconds must be a float, not '1'"),
        ({"type": "app-slow", "seconds": -1}, "seconds must not be negative"),
        ({"type": "app-error", "percent": 101}, "percent must be 0 to 100, not 101"),
        ({"type": "app-error", "status": True}, "status must be a int, not True"),
        ({"type": "component-down", "name": "etcd"}, "name must be one of controller, activator"),
        ({"type": "source-refused"}, "needs the parameter 'source'"),
        (
            {"type": "source-refused", "source": "x"},
            "does not appear to be an IPv4 or IPv6 network",
        ),
    ],
)
def test_bad_parameters_are_named(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(FaultError, match=message):
        Fault.parse(spec)


def routes(*faults: AppFault) -> list[dict[str, Any]]:
    """The routes to the app, after the one for probes."""
    one = routing(ingress(split("a", 100)))
    found: list[dict[str, Any]] = virtual_hosts(one, {}, EXTERNAL, faults)[0]["routes"][1:]
    return found


def test_a_slow_and_failing_app() -> None:
    (route,) = routes(AppFault("slow", seconds=1.5), AppFault("error", percent=12.5))
    config = route["typed_per_filter_config"]["envoy.filters.http.fault"]
    share = {"numerator": 10000, "denominator": "TEN_THOUSAND"}
    assert config["delay"] == {"fixed_delay": "1.500s", "percentage": share}
    assert config["abort"]["http_status"] == 500
    assert config["abort"]["percentage"]["numerator"] == 1250


def test_an_answer_of_the_gateways_own_has_no_sign_of_an_app() -> None:
    first, _ = routes(AppFault("by-gateway", status=404))
    assert first["direct_response"] == {"status": 404}
    assert "response_headers_to_add" not in first


@pytest.mark.parametrize("kind", ["wrong-body", "truncated"])
def test_another_answer_comes_before_the_apps_own(kind: Any) -> None:
    first, second = routes(AppFault(kind, percent=50, body="no"))
    assert first["match"]["runtime_fraction"]["default_value"]["numerator"] == 5000
    assert "weighted_clusters" in second["route"]


@pytest.mark.parametrize(
    ("service", "concerned"), [("", True), ("default/hello", True), ("default/other", False)]
)
def test_faults_of_one_service(service: str, concerned: bool) -> None:
    assert AppFault("slow", service).concerns("default/hello") is concerned


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("hello.default.svc.cluster.local", True),
        ("default.svc.cluster.local", True),
        ("other.kube-system.svc.cluster.local", False),
        ("xdefault.svc.cluster.local", False),
    ],
)
def test_names_and_endings_of_names(name: str, missing: bool) -> None:
    faults = DnsFaults((DnsFault("default.svc.cluster.local", missing=True),))
    assert faults.missing(name) is missing


def test_the_slowest_fault_counts() -> None:
    faults = DnsFaults((DnsFault(seconds=1.0), DnsFault("a.b", seconds=3.0)))
    assert (faults.delay("a.b"), faults.delay("c.d")) == (3.0, 1.0)


def test_a_service_without_a_namespace_is_in_default() -> None:
    fault = Fault.parse({"type": "app-slow", "service": "hello"})
    assert fault.parameters["service"] == "default/hello"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"type": "app-slow", "seconds": 0}, "seconds must be 0.001 to 3600, not 0"),
        ({"type": "app-slow", "seconds": float("nan")}, "must not be negative"),
        ({"type": "app-slow", "forSeconds": -1}, "forSeconds must not be negative"),
        ({"type": "app-slow", "forSeconds": "1"}, "forSeconds must be a float"),
        ({"type": "app-error", "status": 1000}, "status must be 200 to 599, not 1000"),
        ({"type": "app-wrong-body", "body": "é" * 3000}, "body must be at most 4096 bytes"),
    ],
)
def test_values_that_the_gateway_would_not_take(spec: dict[str, Any], why: str) -> None:
    with pytest.raises(FaultError, match=why):
        Fault.parse(spec)
