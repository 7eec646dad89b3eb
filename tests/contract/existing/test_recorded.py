"""What the checks say of a real cluster's recorded answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from infra.clusters.gateway import candidates, http_node_port
from infra.clusters.identity import configured_domain, read_identity
from infra.clusters.preflight import ingress_class, not_available
from infra.clusters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    KOURIER_INGRESS_CLASS,
    KOURIER_NAMESPACE,
    SERVICE,
    SERVING_NAMESPACE,
)
from infra.knative import checks
from tests.support.fake_kube import FakeKube, namespace

RECORDED = Path(__file__).parent / "recorded" / "knative-1.18.yaml"
KINDS = {kind.kind: kind for kind in (DEPLOYMENT, SERVICE, CONFIG_MAP)}


@pytest.fixture
def kube() -> FakeKube:
    documents = yaml.safe_load_all(RECORDED.read_text())
    objects = ((KINDS[document["kind"]], document) for document in documents)
    return FakeKube(namespace("kube-system"), *objects, version="1.33.13")


def test_its_identity(kube: FakeKube) -> None:
    found = read_identity(kube, provider="existing", name="n", context="c")
    assert (found.knative_version, found.ingress_version) == ("1.18.2", "1.18.0")
    assert not found.emulator


def test_nothing_is_missing_that_was_recorded(kube: FakeKube) -> None:
    deployments = checks.SERVING_DEPLOYMENTS
    assert checks.missing_deployments(kube, SERVING_NAMESPACE, deployments, "1.18") == ()
    assert checks.missing_kourier(kube, "1.18") == ()
    assert checks.missing_ingress_class(kube) == ()
    assert checks.missing_domain(kube, "127.0.0.1.sslip.io") == ()
    assert checks.missing_node_ports(kube, {80: 31080, 443: 31443}) == ()
    assert checks.node_ports_taken(kube, (31080, 31443)) == ()
    assert not_available(kube, SERVING_NAMESPACE, deployments) == ()


def test_another_release_would_be_missing(kube: FakeKube) -> None:
    assert len(checks.missing_kourier(kube, "1.19")) == 2
    assert checks.missing_domain(kube, "dev.example") == ("the domain is 127.0.0.1.sslip.io",)


def test_where_its_gateway_may_be(kube: FakeKube) -> None:
    service = kube.get(SERVICE, KOURIER_NAMESPACE, "kourier")
    assert http_node_port(service) == 31080
    node = {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}
    assert [(found.host, found.port) for found in candidates(service, [node])] == [
        ("10.0.0.1", 31080)
    ]
    assert ingress_class(kube) == KOURIER_INGRESS_CLASS
    assert configured_domain(kube) == "127.0.0.1.sslip.io"
