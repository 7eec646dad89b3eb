"""The driver, the shipped manifests and the teardown on the real embedded cluster."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.ports import Cluster, ClusterRequest
from harness.runner.kubectl import find_kubectl
from harness.timing.clock import SystemClock
from infra.clusters.embedded import EmbeddedDriver, running_instance
from infra.clusters.embedded_process import end
from infra.clusters.errors import DeletionRefused
from infra.clusters.existing import ExistingDriver
from infra.clusters.gateway import answers
from infra.clusters.kept import Kept, delete_kept, find_kept, gateway_of, state_of
from infra.clusters.state import remembered

ROOT = Path(__file__).parents[3]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for kept clusters; whatever still runs at the end is ended."""
    home = tmp_path_factory.mktemp("home")
    yield home
    for folder, _ in remembered(home):
        if found := running_instance(folder.path / "data"):
            end(found[1], clock=SystemClock())


@pytest.fixture(scope="module")
def cluster(home: Path) -> Cluster:
    """A kept cluster, shared by the tests that only look."""
    with EmbeddedDriver(home=home).open(ClusterRequest(name="shared", keep="always")) as opened:
        return opened


@pytest.fixture
def kubectl(cluster: Cluster) -> Kubectl:
    pinned = [str(find_kubectl()), f"--kubeconfig={cluster.kubeconfig}"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*pinned, *arguments], capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.mark.parametrize("folder", ["infra/k8s/overlays/dev", "infra/agent"])
def test_the_shipped_manifests_pass_strict_validation(kubectl: Kubectl, folder: str) -> None:
    done = kubectl("apply", "--dry-run=server", "--validate=strict", "-k", str(ROOT / folder))
    assert done.returncode == 0, done.stderr
    assert all("(server dry run)" in line for line in done.stdout.splitlines())


def test_the_overlay_is_what_it_is_documented_to_be(kubectl: Kubectl) -> None:
    overlay = ROOT / "infra" / "k8s" / "overlays" / "dev"
    done = kubectl("create", "--dry-run=client", "-o=json", "-k", str(overlay))
    objects = [json.loads(part) for part in done.stdout.replace("}\n{", "}\0{").split("\0")]
    seen = {}
    for obj in objects:
        container = obj["spec"]["template"]["spec"]["containers"][0]
        seen[obj["metadata"]["name"]] = (container["image"], container["env"][0]["value"])
    assert seen == {
        "hello": ("ghcr.io/knative/helloworld-go:latest", "World"),
        "metrics-echo": ("dev.local/metrics-echo:dev", "vpm-mini"),
    }


def test_the_gateway_is_where_the_driver_says(cluster: Cluster, home: Path) -> None:
    assert answers(cluster.gateway.host, cluster.gateway.http_port) is None
    kept = find_kept("shared", home=home)
    assert gateway_of(kept) == (cluster.gateway.host, cluster.gateway.http_port)
    assert state_of(kept) == "running"


def test_the_existing_driver_finds_the_same_gateway(cluster: Cluster) -> None:
    request = ClusterRequest(
        name="x", context=cluster.context, options={"kubeconfig": str(cluster.kubeconfig)}
    )
    with ExistingDriver().open(request) as found:
        assert found.gateway.host == cluster.gateway.host
        assert found.identity.uid == cluster.identity.uid
        assert found.identity.emulator
        assert found.domain == cluster.domain


def test_a_cluster_with_standing_targets_goes_only_when_confirmed(home: Path) -> None:
    request = ClusterRequest(name="standing", keep="always")
    with EmbeddedDriver(home=home).open(request) as opened:
        applied = subprocess.run(
            [str(find_kubectl()), f"--kubeconfig={opened.kubeconfig}", "apply", "-k",
             str(ROOT / "infra" / "k8s" / "overlays" / "dev")],
            capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert applied.returncode == 0, applied.stderr
        with pytest.raises(DeletionRefused, match="in use by another run"):
            delete_kept(find_kept("standing", home=home), confirm=opened.identity.uid)
    kept: Kept = find_kept("standing", home=home)
    with pytest.raises(DeletionRefused, match="standing target: default/hello") as caught:
        delete_kept(kept)
    assert f"--confirm {opened.identity.uid}" in (caught.value.mend or "")
    assert state_of(kept) == "running"
    delete_kept(kept, confirm=opened.identity.uid)
    assert not opened.kubeconfig.exists()
    assert "standing" not in [record.name for _, record in remembered(home)]


def test_a_cluster_that_does_not_run_goes_only_when_confirmed(home: Path) -> None:
    with EmbeddedDriver(home=home).open(ClusterRequest(name="dead", keep="always")) as opened:
        pass
    kept = find_kept("dead", home=home)
    found = running_instance(kept.folder.path / "data")
    assert found is not None
    end(found[1], clock=SystemClock())
    assert state_of(kept) == "stopped"
    with pytest.raises(DeletionRefused, match="cannot be seen"):
        delete_kept(kept)
    delete_kept(kept, confirm=opened.identity.uid)
    with pytest.raises(UsageError, match="keeps no cluster named dead"):
        find_kept("dead", home=home)
