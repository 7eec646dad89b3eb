"""Where a gateway may be, and how one is recognised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.ports import JsonObject, ResourceKind
from infra.clusters.errors import GatewayUnreachable
from infra.clusters.gateway import (
    Candidate,
    candidates,
    find_gateway,
    gateway_namespace,
    parse_gateway,
    silent_gateway,
)
from infra.clusters.resources import (
    DEPLOYMENT,
    KOURIER_NAMESPACE,
    NODE,
    SERVICE,
    SERVING_NAMESPACE,
)
from infra.kube import ApiError
from tests.support.fake_kube import FakeKube, WithoutNodes, named


class WithoutDeployments(FakeKube):
    """A cluster whose Deployments this user may not read."""

    def get(self, kind: ResourceKind, namespace: str, name: str) -> JsonObject | None:
        if kind == DEPLOYMENT:
            raise ApiError("deployments is forbidden", status=403)
        return super().get(kind, namespace, name)


NODES = [
    {
        "metadata": {"name": "one"},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": "10.0.0.1"},
                {"type": "ExternalIP", "address": "198.51.100.1"},
                {"type": "Hostname", "address": "one"},
            ]
        },
    }
]
PORTS = [{"port": 80, "nodePort": 31080}, {"port": 443, "nodePort": 31443}]


def service(**status: object) -> dict[str, object]:
    return {"spec": {"ports": PORTS}, "status": {"loadBalancer": status}}


BY_NODE = [("198.51.100.1", 31080), ("10.0.0.1", 31080)]


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (service(ingress=[{"ip": "203.0.113.5"}]), [("203.0.113.5", 80), *BY_NODE]),
        (service(ingress=[{"hostname": "lb.example"}]), [("lb.example", 80), *BY_NODE]),
        (service(), BY_NODE),
        ({"spec": {"ports": [{"port": 80}]}}, []),
        (None, []),
    ],
)
def test_candidates(obj: dict[str, object] | None, expected: list[tuple[str, int]]) -> None:
    assert [(found.host, found.port) for found in candidates(obj, NODES)] == expected


def test_known_mappings_come_before_nodeports() -> None:
    mapped = [Candidate("127.0.0.1", 8080, "kind's port mapping")]
    assert candidates(service(), NODES, mapped=mapped)[0].port == 8080


def cluster() -> FakeKube:
    kube = FakeKube()
    for obj in NODES:
        kube.put(NODE, obj)
    kube.put(
        *named(SERVICE, KOURIER_NAMESPACE, "kourier", **service(ingress=[{"ip": "203.0.113.5"}]))
    )
    return kube


def only(host: str) -> Callable[[str, int], str | None]:
    return lambda tried, _port: None if tried == host else "timed out"


@pytest.mark.parametrize(("host", "port"), [("203.0.113.5", 80), ("10.0.0.1", 31080)])
def test_the_first_that_really_answers_is_taken(host: str, port: int) -> None:
    found = find_gateway(cluster(), check=only(host))
    assert (found.host, found.http_port) == (host, port)


def controller(*environment: dict[str, object]) -> tuple[ResourceKind, dict[str, object]]:
    """kourier's controller, with an environment as the recorded release has it."""
    containers = [{"name": "controller", "env": list(environment)}]
    spec = {"template": {"spec": {"containers": containers}}}
    return named(DEPLOYMENT, SERVING_NAMESPACE, "net-kourier-controller", spec=spec)


SYSTEM: dict[str, object] = {"name": "SYSTEM_NAMESPACE", "valueFrom": {"fieldRef": {}}}


def test_the_gateway_is_looked_for_where_its_controller_says() -> None:
    kube = FakeKube(
        controller(SYSTEM, {"name": "KOURIER_GATEWAY_NAMESPACE", "value": "gateways"}),
        named(SERVICE, "gateways", "kourier", **service(ingress=[{"ip": "203.0.113.7"}])),
        named(SERVICE, KOURIER_NAMESPACE, "kourier", **service(ingress=[{"ip": "203.0.113.5"}])),
    )
    for found in (find_gateway(kube, check=lambda _host, _port: None), silent_gateway(kube)):
        assert found is not None
        assert (found.host, found.namespace) == ("203.0.113.7", "gateways")
    with pytest.raises(GatewayUnreachable, match="Service gateways/kourier does not exist"):
        find_gateway(
            FakeKube(controller({"name": "KOURIER_GATEWAY_NAMESPACE", "value": "gateways"}))
        )


@pytest.mark.parametrize(
    "kube",
    [FakeKube(), FakeKube(controller(SYSTEM)), FakeKube(controller()), WithoutDeployments()],
)
def test_the_gateway_is_where_a_release_puts_it_when_nothing_else_is_said(kube: FakeKube) -> None:
    assert gateway_namespace(kube) == KOURIER_NAMESPACE


def test_when_none_answers_the_error_says_what_was_tried() -> None:
    with pytest.raises(GatewayUnreachable) as caught:
        find_gateway(cluster(), check=only("nobody"))
    for words in ("LoadBalancer address 203.0.113.5:80: timed out", "NodePort 31080 10.0.0.1"):
        assert words in caught.value.message
    with pytest.raises(GatewayUnreachable, match="kourier does not exist"):
        find_gateway(FakeKube())


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("gw.example:31080", "gw.example", 31080),
        ("[::1]:80", "::1", 80),
    ],
)
def test_parse_gateway(text: str, host: str, port: int) -> None:
    found = parse_gateway(text)
    assert (found.host, found.http_port) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1", ":80", "host:", "host:0", "host:65536", "host:x", "::1:80", "http://h:80/"],
)
def test_what_is_not_host_and_port(text: str) -> None:
    with pytest.raises(UsageError):
        parse_gateway(text)


@given(st.text(max_size=20))
def test_parsing_never_fails_in_another_way(text: str) -> None:
    try:
        found = parse_gateway(text)
    except UsageError:
        return
    assert 0 < found.http_port < 65536
    assert found.host


def test_a_load_balancer_is_found_by_those_who_may_not_see_nodes() -> None:
    balanced = service(ingress=[{"ip": "203.0.113.5"}])
    kube = WithoutNodes(named(SERVICE, KOURIER_NAMESPACE, "kourier", **balanced))
    assert find_gateway(kube, check=only("203.0.113.5")).host == "203.0.113.5"


def test_a_large_cluster_is_not_asked_node_by_node() -> None:
    kube = FakeKube(named(SERVICE, KOURIER_NAMESPACE, "kourier", **service()))
    for number in range(100):
        address = {"type": "InternalIP", "address": f"10.0.0.{number}"}
        kube.put(NODE, {"metadata": {"name": f"n{number}"}, "status": {"addresses": [address]}})
    tried: list[str] = []
    with pytest.raises(GatewayUnreachable):
        find_gateway(kube, check=lambda host, _port: tried.append(host) or "timed out")
    assert 0 < len(tried) <= 3
