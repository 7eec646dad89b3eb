"""What the engine's pod asks of a cluster: nothing that a careful one refuses by itself."""

from __future__ import annotations

from typing import Any

from probes.jobspec import AgentJob, job_manifest

JOB = AgentJob("vpm-probe-1", "team", "python:3-slim", "{}", b"zipapp", deadline=30)


def pod() -> dict[str, Any]:
    manifest: Any = job_manifest(JOB)
    template: dict[str, Any] = manifest["spec"]["template"]
    return template


def test_no_mesh_stands_between_the_engine_and_the_network() -> None:
    assert pod()["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"


def test_the_pod_has_no_token_and_no_privilege() -> None:
    spec = pod()["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_job_ends_by_itself() -> None:
    manifest: Any = job_manifest(JOB)
    assert manifest["spec"]["activeDeadlineSeconds"] == 30
    assert manifest["spec"]["backoffLimit"] == 0
    assert manifest["spec"]["ttlSecondsAfterFinished"] > 0
