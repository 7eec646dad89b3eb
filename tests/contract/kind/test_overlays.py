"""The shipped manifests, held against Kubernetes' own schemas and against Knative's CRD."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from harness.runner.kubectl import find_kubectl

ROOT = Path(__file__).parents[3]
VERSIONS = ("1.31", "1.33", "1.36")
"""From the oldest Kubernetes that Knative 1.18 takes to that of the newest known node image."""


def built(folder: str) -> list[dict[str, Any]]:
    """What kustomize makes of a folder."""
    done = subprocess.run(
        [str(find_kubectl()), "kustomize", str(ROOT / folder)],
        capture_output=True, check=False, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


@pytest.fixture(scope="module")
def overlay() -> list[dict[str, Any]]:
    return built("infra/k8s/overlays/dev")


@pytest.mark.parametrize("version", VERSIONS)
def test_objects_of_core_kinds_fit_their_schemas(version: str) -> None:
    objects = built("infra/agent")
    assert {item["kind"] for item in objects} == {"Role", "ClusterRole"}
    for item in objects:
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_pods_of_the_overlay_fit_the_schema_of_pods(
    overlay: list[dict[str, Any]], version: str
) -> None:
    """Kubernetes has no schema of a KService, whose template is a Pod's but for its name."""
    assert [item["metadata"]["name"] for item in overlay] == ["hello", "metrics-echo"]
    for item in overlay:
        template = item["spec"]["template"]
        containers = [{"name": "user-container", **c} for c in template["spec"]["containers"]]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": item["metadata"]["name"], **template["metadata"]},
            "spec": {**template["spec"], "containers": containers},
        }
        kubernetes_validate.validate(pod, version, strict=True)


@pytest.mark.parametrize(
    "change",
    [
        {"ports": [{"containerPort": "8080"}]},
        {"resources": {"limit": {}}},
        {"env": [{"nam": "x"}]},
        {"imagePullPolice": "Always"},
    ],
)
def test_a_mistake_in_a_container_is_found(
    overlay: list[dict[str, Any]], change: dict[str, Any]
) -> None:
    container = {"name": "c", **overlay[0]["spec"]["template"]["spec"]["containers"][0], **change}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**pod, "spec": {"containers": [container]}}, "1.33", strict=True
        )


def test_knative_has_a_schema_of_its_own_which_no_core_schema_replaces(
    overlay: list[dict[str, Any]],
) -> None:
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        kubernetes_validate.validate(overlay[0], "1.33", strict=True)
