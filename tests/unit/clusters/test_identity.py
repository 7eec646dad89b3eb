"""What identifies a cluster, read from a fake API."""

from __future__ import annotations

import pytest

from harness.core.errors import ClusterError
from infra.clusters.identity import (
    KOURIER_CONTROLLER,
    cluster_uid,
    configured_domain,
    read_identity,
)
from infra.clusters.owner import label_owner, owner_of
from infra.clusters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    SERVING_NAMESPACE,
    dig,
    label_of,
)
from tests.support.api_server import knative_objects
from tests.support.fake_kube import FakeKube, named, namespace


def test_a_whole_identity() -> None:
    kube = FakeKube(*knative_objects("1.18.2"), version="1.33.13")
    found = read_identity(
        kube, provider="kind", name="n", context="c", chosen_because="w", details={"a": "b"}
    )
    uid = dig(kube.get(NAMESPACE, "", "kube-system"), "metadata", "uid")
    assert (found.uid, found.server_version, found.knative_version) == (uid, "1.33.13", "1.18.2")
    assert (found.ingress, found.ingress_version) == ("kourier", "1.18.0")
    assert (found.emulator, found.chosen_because, found.details) == (False, "w", {"a": "b"})


def test_a_bare_cluster_has_no_knative_and_no_ingress() -> None:
    found = read_identity(FakeKube(namespace("kube-system")), provider="p", name="n", context="c")
    assert (found.knative_version, found.ingress, found.ingress_version) == ("", "", "")


def test_the_images_of_the_control_plane_are_part_of_it() -> None:
    image = "gcr.io/knative-releases/knative.dev/serving/cmd/activator@sha256:" + "a" * 64
    containers = [{"name": "activator", "image": image}, {"name": "beside", "image": "b:1"}]
    spec = {"template": {"spec": {"containers": containers}}}
    kube = FakeKube(
        namespace("kube-system"), named(DEPLOYMENT, SERVING_NAMESPACE, "activator", spec=spec)
    )
    found = read_identity(kube, provider="p", name="n", context="c")
    assert found.images == {"knative-serving/activator": f"{image}, b:1"}


def test_the_gateways_image_is_looked_for_where_the_gateway_is() -> None:
    env = [{"name": "KOURIER_GATEWAY_NAMESPACE", "value": "edge"}]
    controller = {"template": {"spec": {"containers": [{"image": "c:1", "env": env}]}}}
    gateway = {"template": {"spec": {"containers": [{"image": "envoy:1"}]}}}
    kube = FakeKube(
        namespace("kube-system"),
        named(DEPLOYMENT, SERVING_NAMESPACE, KOURIER_CONTROLLER, spec=controller),
        named(DEPLOYMENT, "edge", "3scale-kourier-gateway", spec=gateway),
    )
    found = read_identity(kube, provider="p", name="n", context="c")
    assert found.images["edge/3scale-kourier-gateway"] == "envoy:1"


@pytest.mark.parametrize(("version", "emulator"), [("1.33.13+embedded", True), ("1.33.13", False)])
def test_the_emulator_is_known_by_its_version(version: str, emulator: bool) -> None:
    kube = FakeKube(namespace("kube-system"), version=version)
    assert read_identity(kube, provider="existing", name="n", context="c").emulator is emulator


def test_what_is_no_kubernetes_cluster() -> None:
    with pytest.raises(ClusterError, match="no namespace kube-system"):
        cluster_uid(FakeKube())


@pytest.mark.parametrize(
    ("data", "domain"),
    [
        ({"_example": "x", "127.0.0.1.sslip.io": ""}, "127.0.0.1.sslip.io"),
        ({"prod.example": "selector:\n  app: prod\n", "dev.example": ""}, "dev.example"),
        ({"b.example": "", "a.example": ""}, "a.example"),
        ({"_example": ""}, ""),
        (None, ""),
    ],
)
def test_the_domain_is_the_one_without_a_selector(data: dict[str, str] | None, domain: str) -> None:
    kube = FakeKube(named(CONFIG_MAP, SERVING_NAMESPACE, "config-domain", data=data))
    assert configured_domain(kube) == domain


def test_the_owners_mark() -> None:
    kube = FakeKube(namespace("kube-system", keep="me"))
    assert owner_of(kube) == ""
    label_owner(kube, "token")
    assert owner_of(kube) == "token"
    assert label_of(kube.get(NAMESPACE, "", "kube-system"), "keep") == "me"


@pytest.mark.parametrize(
    ("obj", "path", "expected"),
    [
        ({"a": {"b": 1}}, ("a", "b"), 1),
        ({"a": {"b": 1}}, ("a", "c"), None),
        ({"a": None}, ("a", "b"), None),
        ({"a": [1]}, ("a", "b"), None),
        (None, ("a",), None),
    ],
)
def test_dig(obj: dict[str, object] | None, path: tuple[str, ...], expected: object) -> None:
    assert dig(obj, *path) == expected
