"""What an installation lacks, seen by the checks of the bootstrap."""

from __future__ import annotations

import pytest

from harness.ports import ResourceKind
from infra.clusters.resources import (
    CONFIG_MAP,
    CRD,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    KOURIER_NAMESPACE,
    SERVICE,
    SERVING_NAMESPACE,
    VERSION_LABEL,
)
from infra.knative import checks
from tests.support.fake_install import webhook_slice
from tests.support.fake_kube import FakeKube, named

LABEL = {VERSION_LABEL: "1.18.2"}


def condition(kind: str, status: str = "True") -> dict[str, object]:
    return {"conditions": [{"type": "Other", "status": "True"}, {"type": kind, "status": status}]}


def deployment(name: str, **changes: object) -> tuple[ResourceKind, dict[str, object]]:
    rest = {"labels": LABEL, "status": condition("Available"), **changes}
    return named(DEPLOYMENT, SERVING_NAMESPACE, name, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ()),
        ({"labels": {VERSION_LABEL: "1.17.9"}}, ("webhook is of version 1.17.9",)),
        ({"labels": {VERSION_LABEL: "1.180.0"}}, ("webhook is of version 1.180.0",)),
        ({"labels": {}}, ("webhook is of version unknown",)),
        ({"status": condition("Available", "False")}, ("webhook is not Available",)),
        ({"status": {}}, ("webhook is not Available",)),
    ],
)
def test_deployments(changes: dict[str, object], problem: tuple[str, ...]) -> None:
    kube = FakeKube(deployment("webhook", **changes))
    found = checks.missing_deployments(kube, SERVING_NAMESPACE, ("webhook",), "1.18")
    assert found == problem


def test_a_missing_deployment() -> None:
    found = checks.missing_deployments(FakeKube(), SERVING_NAMESPACE, ("webhook",), "1.18")
    assert found == ("webhook is missing",)


def test_crds_must_be_established() -> None:
    kube = FakeKube(
        *(
            named(CRD, "", name, labels=LABEL, status=condition("Established"))
            for name in checks.SERVING_CRDS[1:]
        )
    )
    assert checks.missing_crds(kube, "1.18") == (f"{checks.SERVING_CRDS[0]} is missing",)
    kube.put(*named(CRD, "", checks.SERVING_CRDS[0], labels=LABEL))
    assert checks.missing_crds(kube, "1.18") == (f"{checks.SERVING_CRDS[0]} is not Established",)


@pytest.mark.parametrize(
    ("endpoints", "ready"),
    [
        ([{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}], True),
        ([{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}], False),
        ([{"addresses": [], "conditions": {"ready": True}}], False),
        ([{"addresses": ["10.0.0.1"]}], False),
        ([], False),
        (None, False),
    ],
)
def test_the_webhook_needs_a_ready_endpoint(endpoints: object, ready: bool) -> None:
    kube = FakeKube((ENDPOINT_SLICE, {**webhook_slice(), "endpoints": endpoints}))
    assert (checks.missing_webhook(kube) == ()) is ready


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"ingress-class": "kourier.ingress.networking.knative.dev"}, ()),
        ({"ingress.class": "kourier.ingress.networking.knative.dev"}, ()),
        ({"ingress-class": "x"}, ("ingress-class is x",)),
        ({}, ("ingress-class is not set",)),
    ],
)
def test_the_ingress_class_has_two_spellings(
    data: dict[str, str], problem: tuple[str, ...]
) -> None:
    kube = FakeKube(named(CONFIG_MAP, SERVING_NAMESPACE, "config-network", data=data))
    assert checks.missing_ingress_class(kube) == problem


@pytest.mark.parametrize(
    ("ports", "problem"),
    [
        ([(80, 31080), (443, 31443)], ()),
        ([(80, 31080), (443, 32001)], ("port 443 has NodePort 32001, not 31443",)),
        ([(80, 31080)], ("port 443 has NodePort none, not 31443",)),
        ([(80, None), (443, 31443)], ("port 80 has NodePort none, not 31080",)),
    ],
)
def test_node_ports(ports: list[tuple[int, int | None]], problem: tuple[str, ...]) -> None:
    spec = {"ports": [{"port": port, "nodePort": node} for port, node in ports]}
    kube = FakeKube(named(SERVICE, KOURIER_NAMESPACE, "kourier", spec=spec))
    assert checks.missing_node_ports(kube, {80: 31080, 443: 31443}) == problem
    assert checks.node_ports_taken(kube, (31080, 31443)) == ()


def test_a_node_port_of_another_service_is_taken() -> None:
    spec = {"ports": [{"port": 8443, "nodePort": 31443}]}
    kube = FakeKube(named(SERVICE, "shop", "front", spec=spec))
    expected = ("NodePort 31443 belongs to shop/front",)
    assert checks.node_ports_taken(kube, (31080, 31443)) == expected
