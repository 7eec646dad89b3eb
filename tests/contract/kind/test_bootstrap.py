"""The installation of Knative: order, idempotence, retries, refusals before any change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ClusterError, UsageError
from harness.ports import Kubectl, ResourceKind
from infra.clusters.errors import (
    AccessDenied,
    BootstrapFailed,
    ForeignIngress,
    NodePortTaken,
    VersionSkew,
)
from infra.clusters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    KOURIER_INGRESS_CLASS,
    KOURIER_NAMESPACE,
    SERVICE,
    SERVING_NAMESPACE,
    VERSION_LABEL,
)
from infra.knative import bootstrap as module
from infra.knative.bootstrap import Site, Wanted, bootstrap
from infra.knative.catalogue import load_catalogue
from infra.knative.manifests import ManifestSource
from tests.support.fake_install import FakeKubectl, RecordingClock, write_manifests
from tests.support.fake_kube import FakeKube, named, namespace

NODE_PORTS = {80: 31080, 443: 31443}


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(namespace("kube-system"))


@pytest.fixture
def site(kube: FakeKube, tmp_path: Path) -> Callable[..., Site]:
    folder = write_manifests(tmp_path / "manifests")

    def make(*, kubectl: Kubectl | None = None, wanted: Wanted | None = None) -> Site:
        return Site(
            api=kube,
            kubectl=kubectl or FakeKubectl(kube),
            source=ManifestSource(load_catalogue().release("1.18"), folder=folder),
            wanted=wanted or Wanted(domain="127.0.0.1.sslip.io", node_ports=NODE_PORTS),
            clock=RecordingClock(),
        )

    return make


def test_an_empty_cluster_is_brought_to_what_is_wanted(
    kube: FakeKube, site: Callable[..., Site]
) -> None:
    lines: list[str] = []
    assert bootstrap(site(), progress=lines.append) == 6
    config = kube.get(CONFIG_MAP, SERVING_NAMESPACE, "config-network")
    assert config is not None
    assert config["data"]["ingress-class"] == KOURIER_INGRESS_CLASS
    domain = kube.get(CONFIG_MAP, SERVING_NAMESPACE, "config-domain")
    assert domain is not None
    assert domain["data"]["127.0.0.1.sslip.io"] == ""
    service = kube.get(SERVICE, KOURIER_NAMESPACE, "kourier")
    assert service is not None
    spec = service["spec"]
    # The recorded Service of a real cluster with these NodePorts has exactly these ports.
    assert spec == {
        "type": "NodePort",
        "ports": [
            {
                "name": "http2",
                "nodePort": 31080,
                "port": 80,
                "protocol": "TCP",
                "targetPort": 8080,
            },
            {
                "name": "https",
                "nodePort": 31443,
                "port": 443,
                "protocol": "TCP",
                "targetPort": 8443,
            },
        ],
    }
    assert [line.split("]")[0] for line in lines] == [f"[{n}/7" for n in range(1, 8)]


def test_components_are_applied_in_order(kube: FakeKube, site: Callable[..., Site]) -> None:
    kubectl = FakeKubectl(kube)
    bootstrap(site(kubectl=kubectl))
    kinds = [b"CustomResourceDefinition", b"name: webhook", b"net-kourier-controller"]
    assert [word in content for word, content in zip(kinds, kubectl.applied, strict=True)] == [
        True
    ] * 3


def test_a_second_run_changes_nothing(kube: FakeKube, site: Callable[..., Site]) -> None:
    bootstrap(site())
    before = copy.deepcopy(kube.objects)
    written = len(kube.calls)
    kubectl = FakeKubectl(kube)
    lines: list[str] = []
    assert bootstrap(site(kubectl=kubectl), progress=lines.append) == 0
    assert not kubectl.applied
    assert kube.objects == before
    assert kube.calls[written:] == []
    assert all("already right" in line for line in lines)


def test_a_half_finished_installation_is_finished(
    kube: FakeKube, site: Callable[..., Site]
) -> None:
    bootstrap(site())
    kube.delete(DEPLOYMENT, KOURIER_NAMESPACE, "3scale-kourier-gateway")
    kubectl = FakeKubectl(kube)
    lines: list[str] = []
    bootstrap(site(kubectl=kubectl), progress=lines.append)
    assert len(kubectl.applied) == 1
    assert "kourier: done" in lines[2]


def test_webhook_races_are_waited_out_with_backoff(
    kube: FakeKube, site: Callable[..., Site]
) -> None:
    made = site(kubectl=FakeKubectl(kube, failures=3))
    bootstrap(made)
    clock = made.clock
    assert isinstance(clock, RecordingClock)
    assert clock.slept[:3] == [0.5, 1.0, 2.0]


def test_a_webhook_may_need_most_of_a_minute_after_its_node_came_back(
    kube: FakeKube, site: Callable[..., Site]
) -> None:
    made = site(kubectl=FakeKubectl(kube, failures=7))
    bootstrap(made)
    clock = made.clock
    assert isinstance(clock, RecordingClock)
    assert sum(clock.slept[:7]) > 55


@pytest.mark.parametrize(
    ("stderr", "attempts"),
    [("error: the server has asked for the client to provide credentials\n", 1), (None, 8)],
)
def test_a_failure_that_stays_is_named(
    kube: FakeKube, site: Callable[..., Site], stderr: str | None, attempts: int
) -> None:
    kubectl = FakeKubectl(kube, failures=99, **({"stderr": stderr} if stderr else {}))
    with pytest.raises(BootstrapFailed, match="kubectl apply of serving-crds") as caught:
        bootstrap(site(kubectl=kubectl))
    assert "run the same command again" in (caught.value.mend or "")
    assert 99 - kubectl.failures == attempts


def test_what_never_becomes_ready_is_named_with_what_is_missing(
    kube: FakeKube, site: Callable[..., Site]
) -> None:
    made = site()
    bootstrap(made)
    kube.delete(ENDPOINT_SLICE, SERVING_NAMESPACE, "webhook-abcde")
    quiet = FakeKubectl(kube, idle=True)
    with pytest.raises(BootstrapFailed, match="the webhook has no ready endpoint"):
        bootstrap(site(kubectl=quiet), timeout=30)


def test_the_gateway_must_answer_at_the_end(site: Callable[..., Site]) -> None:
    wanted = Wanted(gateway_answers=lambda: "ConnectionRefusedError: refused")
    with pytest.raises(BootstrapFailed, match=r"an answer of the gateway.*refused"):
        bootstrap(site(wanted=wanted), timeout=10)


def _old_kubernetes(kube: FakeKube) -> None:
    kube.version = "1.30.4"


def _other_knative(kube: FakeKube) -> None:
    kube.put(*_with(DEPLOYMENT, "controller", labels={VERSION_LABEL: "1.17.0"}))


def _istio(kube: FakeKube) -> None:
    data = {"ingress-class": "istio.ingress.networking.knative.dev"}
    kube.put(*_with(CONFIG_MAP, "config-network", data=data))


def _legacy_key(kube: FakeKube) -> None:
    data = {"ingress.class": "contour.ingress.networking.knative.dev"}
    kube.put(*_with(CONFIG_MAP, "config-network", data=data))


def _taken_port(kube: FakeKube) -> None:
    ports = [{"port": 80, "nodePort": 31080}]
    kube.put(*named(SERVICE, "shop", "front", spec={"ports": ports}))


def _no_permission(kube: FakeKube) -> None:
    kube.allowed = False


def _with(kind: ResourceKind, name: str, **rest: Any) -> tuple[ResourceKind, dict[str, Any]]:
    return named(kind, SERVING_NAMESPACE, name, **rest)


@pytest.mark.parametrize(
    ("arrange", "error", "words"),
    [
        (_old_kubernetes, VersionSkew, "Kubernetes 1.30.4 is too old: Knative 1.18 needs 1.31"),
        (_other_knative, VersionSkew, "Knative 1.17.0 is installed, and 1.18 was asked for"),
        (_istio, ForeignIngress, "istio.ingress"),
        (_legacy_key, ForeignIngress, "contour.ingress"),
        (_taken_port, NodePortTaken, "NodePort 31080 belongs to shop/front"),
        (_no_permission, AccessDenied, "cluster administrator"),
    ],
)
def test_a_cluster_that_does_not_fit_is_refused_and_not_changed(
    kube: FakeKube,
    site: Callable[..., Site],
    arrange: Callable[[FakeKube], None],
    error: type[ClusterError],
    words: str,
) -> None:
    arrange(kube)
    kubectl = FakeKubectl(kube)
    with pytest.raises(error, match=words) as caught:
        bootstrap(site(kubectl=kubectl))
    assert caught.value.mend
    assert caught.value.exit_code == 4
    assert not kubectl.applied
    assert kube.calls == []


def test_another_default_domain_is_replaced_when_one_is_asked_for(
    kube: FakeKube, site: Callable[..., Site]
) -> None:
    bootstrap(site())
    bootstrap(site(wanted=Wanted(domain="dev.example.org", node_ports=NODE_PORTS)))
    config = kube.get(CONFIG_MAP, SERVING_NAMESPACE, "config-domain")
    assert config is not None
    data = config["data"]
    assert isinstance(data, dict)
    assert {key for key in data if not key.startswith("_")} == {"dev.example.org"}


def test_a_folder_without_a_manifest_is_a_usage_error(tmp_path: Path, kube: FakeKube) -> None:
    source = ManifestSource(load_catalogue().release("1.18"), folder=tmp_path)
    made = Site(kube, FakeKubectl(kube), source, Wanted(), RecordingClock())
    with pytest.raises(UsageError, match=r"serving-crds\.yaml"):
        bootstrap(made)


def test_the_steps_are_in_the_documented_order() -> None:
    assert [step.title for step in module.STEPS] == [
        "Knative's kinds (CRDs)",
        "Knative Serving",
        "kourier",
        "ingress class",
        "domain",
        "NodePorts of the gateway",
        "an answer of the gateway",
    ]
