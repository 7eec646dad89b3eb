"""The cluster's checks through its API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.finding import Finding, Status, perform_all
from infra.clusters.checkup import CHECKS, Subject
from infra.clusters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    KOURIER_NAMESPACE,
    NODE,
    SERVICE,
    SERVING_NAMESPACE,
    VERSION_LABEL,
)
from tests.support.api_server import knative_objects
from tests.support.fake_install import gateway, webhook_slice
from tests.support.fake_kube import FakeKube, WithoutNodes, named


@pytest.fixture
def kube() -> FakeKube:
    ports = [{"port": 80, "nodePort": 31080}, {"port": 443, "nodePort": 31443}]
    return FakeKube(
        *knative_objects(),
        named(SERVICE, KOURIER_NAMESPACE, "kourier", spec={"type": "NodePort", "ports": ports}),
        (ENDPOINT_SLICE, webhook_slice()),
    )


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "kubeconfig"
    file.touch(0o600)
    return file


def findings(kube: FakeKube, kubeconfig: Path, **changes: object) -> dict[str, Finding]:
    base = {"api": kube, "kubeconfig": kubeconfig, "context": "kind-vpm-mini", "node_port": 31080}
    subject = Subject(**{**base, **changes})  # type: ignore[arg-type]
    return {finding.id: finding for finding in perform_all(CHECKS, subject)}


def test_a_good_cluster(kube: FakeKube, kubeconfig: Path) -> None:
    with gateway() as port:
        found = findings(kube, kubeconfig, gateway=("127.0.0.1", port))
    assert {finding.status for finding in found.values()} == {Status.OK}
    assert kube.calls == []


def test_a_user_who_may_not_see_nodes_still_reaches_the_cluster(kubeconfig: Path) -> None:
    found = findings(WithoutNodes(*knative_objects()), kubeconfig)["context"]
    assert (found.status, "may not see its nodes" in found.seen) == (Status.OK, True)


def _webhook(kube: FakeKube) -> None:
    kube.objects.pop(("discovery.k8s.io", "endpointslices", SERVING_NAMESPACE, "webhook-abcde"))


def _ingress(kube: FakeKube) -> None:
    kube.put(*named(CONFIG_MAP, SERVING_NAMESPACE, "config-network", data={}))


def _domain(kube: FakeKube) -> None:
    kube.put(*named(CONFIG_MAP, SERVING_NAMESPACE, "config-domain", data={"_example": "x"}))


def _node_port(kube: FakeKube) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30412}]}
    kube.put(*named(SERVICE, KOURIER_NAMESPACE, "kourier", spec=spec))


def _no_service(kube: FakeKube) -> None:
    kube.objects.pop(("", "services", KOURIER_NAMESPACE, "kourier"))


def _no_knative(kube: FakeKube) -> None:
    kube.hidden.add("serving.knative.dev")


def _unavailable(kube: FakeKube) -> None:
    kube.put(*named(DEPLOYMENT, SERVING_NAMESPACE, "activator"))


def _old_kubernetes(kube: FakeKube) -> None:
    kube.version = "1.30.0"


def _newer_knative(kube: FakeKube) -> None:
    labels = {VERSION_LABEL: "1.19.3"}
    kube.put(*named(DEPLOYMENT, SERVING_NAMESPACE, "controller", labels=labels))


@pytest.mark.parametrize(
    ("arrange", "check", "status", "words"),
    [
        (_webhook, "webhook", Status.FAILURE, "no ready endpoint"),
        (_ingress, "ingress-class", Status.WARNING, "istio"),
        (_domain, "domain", Status.WARNING, "no default domain"),
        (_node_port, "kourier-service", Status.FAILURE, "NodePort 30412; kind maps"),
        (_no_service, "kourier-service", Status.FAILURE, "there is no Service"),
        (_no_knative, "knative", Status.FAILURE, "not installed"),
        (_unavailable, "knative", Status.FAILURE, "activator is not Available"),
        (_old_kubernetes, "versions", Status.FAILURE, "too old"),
        (_newer_knative, "versions", Status.WARNING, "1.19.3"),
    ],
)
def test_what_is_wrong_is_found_by_its_check(
    kube: FakeKube,
    kubeconfig: Path,
    arrange: Callable[[FakeKube], None],
    check: str,
    status: Status,
    words: str,
) -> None:
    arrange(kube)
    found = findings(kube, kubeconfig)[check]
    assert found.status is status
    assert words in found.seen
    assert found.mend


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_kubeconfig_that_others_can_read(kube: FakeKube, kubeconfig: Path, mode: int) -> None:
    kubeconfig.chmod(mode)
    found = findings(kube, kubeconfig)["kubeconfig"]
    assert found.status is Status.WARNING
    assert found.mend == f"chmod 600 {kubeconfig}"


def test_a_silent_gateway(kube: FakeKube, kubeconfig: Path) -> None:
    with gateway() as port:
        pass
    assert findings(kube, kubeconfig, gateway=("127.0.0.1", port))["gateway"].status is (
        Status.FAILURE
    )
    unknown = findings(kube, kubeconfig)["gateway"]
    assert unknown.status is Status.WARNING
    assert "a run uses kubectl port-forward" in unknown.seen


def test_a_gateway_that_is_not_named_is_looked_for(kube: FakeKube, kubeconfig: Path) -> None:
    node = {"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}}
    kube.put(NODE, {"metadata": {"name": "n"}, **node})
    with gateway() as port:
        ports = [{"port": 80, "nodePort": port}]
        kube.put(*named(SERVICE, KOURIER_NAMESPACE, "kourier", spec={"ports": ports}))
        found = findings(kube, kubeconfig)["gateway"]
    assert found.status is Status.OK
    assert f"127.0.0.1:{port}" in found.seen


@pytest.mark.parametrize(
    ("date", "status"),
    [
        ("", Status.OK),
        ("Sun, 22 Nov 2020 09:00:00 GMT", Status.WARNING),
        ("yesterday", Status.SKIPPED),
    ],
)
def test_clocks_are_compared(kube: FakeKube, kubeconfig: Path, date: str, status: Status) -> None:
    with gateway(date=date) as port:
        found = findings(kube, kubeconfig, gateway=("127.0.0.1", port))["gateway-clock"]
    assert found.status is status


def test_a_missing_kubeconfig_is_a_finding(kube: FakeKube, tmp_path: Path) -> None:
    found = findings(kube, tmp_path / "nothing")["kubeconfig"]
    assert found.status is Status.FAILURE
