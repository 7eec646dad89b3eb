"""The bootstrap with the real kubectl and client, against the embedded cluster's real API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.ports import Cluster, ClusterRequest
from harness.runner.kubectl import KubectlProcess
from harness.timing.clock import SystemClock
from infra.clusters.embedded import EmbeddedDriver
from infra.clusters.errors import NodePortTaken, VersionSkew
from infra.clusters.gateway import answers
from infra.clusters.kubeconfig import PinnedContext
from infra.clusters.resources import CONFIG_MAP, SERVICE, SERVING_NAMESPACE, dig
from infra.knative import checks
from infra.knative.bootstrap import Wanted
from infra.knative.install import Installer
from infra.kube import KubernetesClient
from tests.support.fake_install import webhook_slice

KINDS = {
    "certificates": "Certificate",
    "clusterdomainclaims": "ClusterDomainClaim",
    "configurations": "Configuration",
    "domainmappings": "DomainMapping",
    "images": "Image",
    "ingresses": "Ingress",
    "metrics": "Metric",
    "podautoscalers": "PodAutoscaler",
    "revisions": "Revision",
    "routes": "Route",
    "serverlessservices": "ServerlessService",
    "services": "Service",
}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with EmbeddedDriver().open(ClusterRequest(name="bootstrap")) as opened:
        yield opened


@pytest.fixture
def api(cluster: Cluster) -> KubernetesClient:
    return KubernetesClient(cluster.kubeconfig, cluster.context)


@pytest.fixture
def installer(tmp_path: Path) -> Installer:
    """An installer with manifests as small as an API server takes them."""
    crds = [_crd(name) for name in checks.SERVING_CRDS]
    slices = [{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **webhook_slice()}]
    for piece in slices:
        piece["addressType"] = "IPv4"
    for component, documents in {"serving-crds": crds, "serving-core": slices}.items():
        (tmp_path / f"{component}.yaml").write_text(yaml.safe_dump_all(documents))
    (tmp_path / "kourier.yaml").write_text("")
    return Installer(
        kubectl=lambda kubeconfig, context: KubectlProcess(
            kubeconfig=kubeconfig, context=context, clock=SystemClock()
        ),
        manifests=tmp_path,
    )


def _crd(name: str) -> dict[str, object]:
    plural, _, group = name.partition(".")
    version = {
        "name": "v1" if group == "serving.knative.dev" else "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        },
    }
    kind = KINDS[plural]
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/version": "1.18.1"}},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def test_it_brings_the_cluster_to_what_is_wanted_and_then_changes_nothing(
    cluster: Cluster, api: KubernetesClient, installer: Installer
) -> None:
    pinned = PinnedContext(cluster.kubeconfig, cluster.context)
    gateway = cluster.gateway
    wanted = Wanted(
        domain="dev.example.org",
        gateway_answers=lambda: answers(gateway.host, gateway.http_port),
    )
    installer.install(api, pinned, knative="1.18", wanted=wanted)
    assert checks.missing_crds(api, "1.18") == ()
    assert checks.missing_core(api, "1.18") == ()
    assert checks.missing_kourier(api, "1.18") == ()
    assert checks.default_domains(api) == ("dev.example.org",)
    before = _versions(api)
    assert installer.install(api, pinned, knative="1.18", wanted=wanted) == 0
    assert _versions(api) == before


def test_what_does_not_fit_is_refused_before_anything_is_changed(
    cluster: Cluster, api: KubernetesClient, installer: Installer
) -> None:
    pinned = PinnedContext(cluster.kubeconfig, cluster.context)
    front = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 31080}]},
    }
    api.create(SERVICE, "default", front)
    before = _versions(api)
    with pytest.raises(NodePortTaken, match="default/front"):
        installer.install(api, pinned, knative="1.18", wanted=Wanted(node_ports={80: 31080}))
    with pytest.raises(VersionSkew):
        installer.install(api, pinned, knative="1.23", wanted=Wanted())
    assert _versions(api) == before


def _versions(api: KubernetesClient) -> dict[str, str]:
    """The resourceVersions of what the bootstrap may change and nothing else does."""
    names = ("config-network", "config-domain")
    configs = (api.get(CONFIG_MAP, SERVING_NAMESPACE, name) for name in names)
    return {
        str(dig(item, "metadata", "name")): str(dig(item, "metadata", "resourceVersion"))
        for item in configs
    }
