"""What the engine's pod asks of a cluster: nothing that a careful one refuses by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from probes.jobspec import AgentJob, job_manifest, user_for

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


def namespace(level: str, **annotations: str) -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": level}
    return {"metadata": {"name": "team", "labels": labels, "annotations": annotations}}


UIDS = {"openshift.io/sa.scc.uid-range": "1000650000/10000"}


@pytest.mark.parametrize(
    ("found", "user"),
    [
        (namespace("restricted"), {"runAsNonRoot": True, "runAsUser": 65534}),
        (namespace("restricted", **UIDS), {"runAsNonRoot": True}),
        (namespace("baseline"), {}),
        ({"metadata": {"name": "team"}}, {}),
        (None, {}),
    ],
)
def test_the_engine_is_not_root_where_the_namespace_wants_it_so(
    found: dict[str, Any] | None, user: dict[str, Any]
) -> None:
    manifest: Any = job_manifest(replace(JOB, user=user_for(found)))
    spec = manifest["spec"]["template"]["spec"]
    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}, **user}


def test_the_job_ends_by_itself() -> None:
    manifest: Any = job_manifest(JOB)
    assert manifest["spec"]["activeDeadlineSeconds"] == 30
    assert manifest["spec"]["backoffLimit"] == 0
    assert manifest["spec"]["ttlSecondsAfterFinished"] > 0
