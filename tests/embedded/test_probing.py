"""The product's probes on the embedded cluster: every vantage, and faults made with kubectl."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.core.diagnose import diagnose
from harness.core.observation import ServiceObserved
from harness.core.outcome import Hop
from harness.core.verdict import Claim, Verdict
from tests.support.cluster import Cluster
from tests.support.product import Product, echo
from tests.support.wait import eventually

PLACES = ("devbox", "gateway", "in-cluster", "in-cluster-gateway")


@pytest.fixture
def product(own: Cluster, namespace: str) -> Product:
    return Product(own, namespace)


@pytest.fixture
def diagnosed(product: Product) -> Callable[..., Claim]:
    def run(service: ServiceObserved, *vantages: str, **fields: Any) -> Claim:
        probes = product.probe(service, *vantages, **fields)
        return diagnose(ready=product.read(service.service), probes=probes)

    return run


@pytest.mark.covers("probes", "devbox, gateway and pods reach a ready service")
def test_a_ready_service_is_reached_from_every_place(product: Product) -> None:
    service = product.up()
    assert service.image_digest.startswith("sha256:")
    probes = product.probe(service, *PLACES, body={"contains": "service=echo"})
    assert [(seen.vantage, seen.good, seen.error) for seen in probes] == [
        (place, 10, None) for place in PLACES
    ]
    for seen in probes:
        assert seen.revisions == {"echo-00001": 10}
        assert seen.through_gateway == 10
    inside = next(seen for seen in probes if seen.vantage == "in-cluster")
    assert inside.identity is not None
    assert inside.identity.pod.startswith("vpm-probe-")
    assert inside.identity.image_digest.startswith("sha256:")
    assert inside.identity.clock_offset == 0.0
    claim = diagnose(ready=service, probes=probes)
    assert (claim.verdict, claim.diagnosis) == (Verdict.PASS, "reachable")


@pytest.mark.covers("probes", "a probe's Job leaves nothing")
def test_the_probes_job_leaves_nothing(product: Product) -> None:
    service = product.up()
    product.probe(service, "in-cluster")
    left = product.cluster.kubectl(
        "get", "jobs,configmaps", "-n", product.namespace, "-o", "name"
    ).out.split()
    assert [name for name in left if "vpm-probe" in name] == []
    eventually(lambda: "vpm-probe" not in pods(product), timeout=10)


def pods(product: Product) -> str:
    return product.cluster.kubectl("get", "pods", "-n", product.namespace, "-o", "name").out


@pytest.mark.covers("probes", "a running pod is a vantage, through exec")
def test_a_pod_that_is_already_there_is_a_vantage_too(product: Product) -> None:
    service = product.up()
    pod = next(name for name in pods(product).split() if "echo-00001" in name).partition("/")[2]
    vantage = f"kubectl://{pod}?container=user-container"
    (seen,) = product.probe(service, vantage)
    assert (seen.good, seen.error) == (10, None)
    assert seen.identity is not None
    assert seen.identity.pod == pod


@pytest.mark.covers("probes", "a prober whose image cannot be pulled")
def test_a_pod_whose_image_cannot_be_pulled_is_an_error_of_its_vantage(product: Product) -> None:
    service = product.up()
    other = Product(product.cluster, product.namespace, agent_image="dev.local/no-such-agent:v0")
    gateway, inside = other.probe(service, "gateway", "in-cluster")
    assert gateway.good == 10
    assert inside.error is not None
    assert "Image" in inside.error
    claim = diagnose(ready=service, probes=(gateway, inside))
    assert (claim.verdict, claim.vantage) == (Verdict.ERROR, "in-cluster")


@pytest.mark.covers("failures", "a failed update: the old revision answers")
def test_an_update_that_fails_leaves_the_old_revision_answering(
    product: Product, diagnosed: Callable[..., Claim]
) -> None:
    service = product.up()
    product.cluster.apply(echo("echo", product.namespace, image="dev.local/no-such-image:v0"))
    eventually(lambda: product.read().latest_created == "echo-00002", timeout=15)
    claim = diagnosed(service, "gateway", "in-cluster")
    assert (claim.verdict, claim.diagnosis) == (Verdict.INCONCLUSIVE, "failed-update")
    assert any("latestReadyRevisionName" in line for line in claim.contradicts)


@pytest.mark.covers("probes", "a bad revision behind a traffic split")
def test_a_revision_that_answers_wrongly_is_found_behind_a_traffic_split(
    product: Product, diagnosed: Callable[..., Claim]
) -> None:
    product.up()
    split = echo("echo", product.namespace, target="two")
    split["spec"]["traffic"] = [
        {"revisionName": "echo-00001", "percent": 50},
        {"latestRevision": True, "percent": 50},
    ]
    product.cluster.apply(split)
    eventually(lambda: product.read().latest_ready == "echo-00002", timeout=15)
    service = product.reader.wait_ready(product.namespace, "echo", timeout=15)
    claim = diagnosed(service, "gateway", requests=40, body={"contains": "target=one"})
    assert (claim.verdict, claim.hop, claim.diagnosis) == (
        Verdict.INCONCLUSIVE,
        Hop.BODY,
        "partial-by-revision",
    )
    assert "revision echo-00002: every answer failed" in claim.confirms


@pytest.mark.covers("gateway", "a deleted service is not routed any more")
def test_a_deleted_service_is_absent_and_not_routed(product: Product) -> None:
    service = product.up()
    product.cluster.kubectl("delete", "ksvc", "echo", "-n", product.namespace)
    eventually(lambda: product.probe(service, "gateway")[0].good == 0, timeout=10)
    probes = product.probe(service, "gateway", "devbox")
    claim = diagnose(ready=product.read(), probes=probes)
    assert (claim.verdict, claim.hop, claim.diagnosis) == (Verdict.FAIL, Hop.STATUS, "absent")
    assert "by envoy, empty body" in claim.reason


@pytest.mark.covers("gateway", "a cluster-local service is reached from pods only")
def test_a_service_that_is_local_to_the_cluster_is_not_routed_outside(
    product: Product, diagnosed: Callable[..., Claim]
) -> None:
    service = product.up()
    product.cluster.kubectl(
        "label", "ksvc", "echo", "-n", product.namespace,
        "networking.knative.dev/visibility=cluster-local",
    )  # fmt: skip
    eventually(lambda: product.read().url.endswith("svc.cluster.local"), timeout=15)
    claim = diagnosed(service, "gateway", "in-cluster")
    assert (claim.verdict, claim.vantage, claim.diagnosis) == (
        Verdict.INCONCLUSIVE,
        "gateway",
        "host-not-routed",
    )


@pytest.mark.covers("probes", "failed attempts bring the pods' logs")
def test_failed_attempts_bring_the_pods_logs(product: Product) -> None:
    service = product.up()
    (seen,) = product.probe(service, "gateway", path="/delay?ms=soon")
    assert seen.service_failures == {"400": 10}
    names = [artefact.path for artefact in seen.logs]
    assert any(name.endswith("-user-container.log") for name in names)
    assert set(names) <= set(product.store.files)
