"""Faults that the emulator makes, each diagnosed by its own row and passing once mended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.core.diagnose import diagnose
from harness.core.observation import ServiceObserved
from harness.core.outcome import Hop
from harness.core.verdict import Claim, Verdict
from tests.support.cluster import Cluster
from tests.support.product import Product
from tests.support.wait import eventually

ALL = ("devbox", "gateway", "in-cluster")
SHORT = {"timeout": "400ms"}
TARGET = {"service": "default/diagnosed"}
BODY: dict[str, Any] = {"body": {"contains": "metrics-echo ok"}}


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Iterator[tuple[Product, ServiceObserved]]:
    """A READY service on a cluster that can be broken."""
    if not cluster.embedded:
        pytest.skip("faults are the emulator's")
    product = Product(cluster, "default")
    yield product, product.up("diagnosed")
    cluster.kubectl("delete", "ksvc", "diagnosed", "-n", "default")


@contextmanager
def fault(cluster: Cluster, kind: str, parameters: dict[str, Any]) -> Iterator[None]:
    """A fault in effect for the time of a block."""
    name = f"diagnosed-{kind}"
    cluster.apply(
        {
            "apiVersion": "emulator.vpm.dev/v1alpha1",
            "kind": "Fault",
            "metadata": {"name": name},
            "spec": {"type": kind, **parameters},
        }
    )
    try:
        eventually(lambda: cluster.get("fault", name).get("status", {}).get("phase") == "Active")
        yield
    finally:
        assert cluster.kubectl("delete", "fault", name, "--wait=true").code == 0


@pytest.mark.covers("faults", "each fault is diagnosed by its own row")
@pytest.mark.parametrize(
    ("kind", "parameters", "fields", "expected"),
    [
        ("gateway-not-exposed", {}, {}, ("gateway-not-exposed", Hop.CONNECT, "devbox")),
        ("gateway-silent", {}, SHORT, ("silent-outside", Hop.WAIT, "devbox")),
        ("gateway-reset", {}, {}, ("connection-reset", Hop.WAIT, "devbox")),
        (
            "dns-not-found",
            {"name": "svc.cluster.local"},
            {},
            ("dns-not-found", Hop.RESOLVE, "in-cluster"),
        ),
        ("dns-slow", {"seconds": 2}, SHORT, ("dns-silent", Hop.RESOLVE, "in-cluster")),
        (
            "dns-error",
            {"name": "svc.cluster.local"},
            {},
            ("dns-error", Hop.RESOLVE, "in-cluster"),
        ),
        ("gateway-dropped", {}, SHORT, ("connect-dropped", Hop.CONNECT, "devbox")),
        ("gateway-foreign", {}, {}, ("another-server", Hop.STATUS, "devbox")),
        ("gateway-not-http", {}, {}, ("not-http", Hop.TRANSFER, "devbox")),
        ("inside-not-exposed", {}, {}, ("cluster-address-closed", Hop.CONNECT, "in-cluster")),
        ("gateway-error", {"status": 404}, {}, ("host-not-routed", Hop.STATUS, "devbox")),
        ("gateway-error", TARGET, {}, ("no-healthy-upstream", Hop.STATUS, "devbox")),
        ("gateway-error", {"status": 504}, {}, ("gateway-timeout", Hop.STATUS, "devbox")),
        ("gateway-error", {"status": 429}, {}, ("gateway-status", Hop.STATUS, "devbox")),
        ("app-error", TARGET, {}, ("app-status", Hop.STATUS, "devbox")),
        ("app-wrong-body", TARGET, BODY, ("wrong-service", Hop.BODY, "devbox")),
        ("app-truncated", TARGET, {}, ("answer-cut", Hop.TRANSFER, "devbox")),
        ("app-slow", {**TARGET, "seconds": 2}, SHORT, ("silent", Hop.WAIT, "devbox")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_gets_its_own_row(
    service: tuple[Product, ServiceObserved],
    kind: str,
    parameters: dict[str, Any],
    fields: dict[str, Any],
    expected: tuple[str, Hop, str],
) -> None:
    product, target = service
    with fault(product.cluster, kind, parameters):
        broken = look(product, target, **fields)
    assert (broken.verdict, broken.diagnosis, broken.hop, broken.vantage) == (
        Verdict.INCONCLUSIVE,
        *expected,
    ), broken.reason


@pytest.mark.covers("faults", "bad certificates are diagnosed by name")
@pytest.mark.parametrize(
    ("kind", "diagnosis"),
    [
        ("tls-expired", "tls-expired"),
        ("tls-wrong-name", "tls-name"),
        ("tls-not-yet-valid", "tls-not-yet-valid"),
        ("tls-untrusted", "tls-untrusted"),
        ("gateway-silent", "tls-silent"),
        ("gateway-not-http", "tls-broken"),
    ],
)
def test_a_handshake_that_must_not_succeed_is_named(
    service: tuple[Product, ServiceObserved], kind: str, diagnosis: str
) -> None:
    product, target = service
    with fault(product.cluster, kind, {}):
        claim = look(product, target, vantages=("gateway",), scheme="https", timeout="1s")
    assert (claim.diagnosis, claim.hop, claim.vantage) == (diagnosis, Hop.TLS, "gateway")
    mended = look(product, target, vantages=("gateway",), scheme="https")
    assert mended.verdict is Verdict.PASS, mended.reason


@pytest.mark.covers("faults", "what is mended passes")
def test_what_is_mended_passes(service: tuple[Product, ServiceObserved]) -> None:
    product, target = service
    with fault(product.cluster, "gateway-not-exposed", {}):
        assert look(product, target).verdict is Verdict.INCONCLUSIVE
    assert look(product, target, **BODY).verdict is Verdict.PASS


@pytest.mark.covers("faults", "an app that fails at times is partial")
def test_an_app_that_fails_at_times_is_partial(
    service: tuple[Product, ServiceObserved],
) -> None:
    product, target = service
    with fault(product.cluster, "app-error", {**TARGET, "percent": 40}):
        claim = look(product, target, vantages=("gateway",), requests=60, rate="60/s")
    assert (claim.verdict, claim.diagnosis, claim.hop) == (
        Verdict.INCONCLUSIVE,
        "partial",
        Hop.STATUS,
    )


def look(
    product: Product,
    target: ServiceObserved,
    *,
    vantages: tuple[str, ...] = ALL,
    **fields: Any,
) -> Claim:
    """Probe and diagnose, as a run would: READY as it is now."""
    asked = {"requests": 5, **fields}
    probes = product.probe(target, *vantages, **asked)
    return diagnose(ready=product.read("diagnosed"), probes=probes)
