"""The Kubernetes objects that run the probe engine in a pod: pure functions to JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.dig import JsonObject, text_at
from harness.ports import ResourceKind

CONFIG_MAP = ResourceKind("", "v1", "configmaps", "ConfigMap")
POD = ResourceKind("", "v1", "pods", "Pod")
EVENT = ResourceKind("", "v1", "events", "Event")
JOB = ResourceKind("batch", "v1", "jobs", "Job")
NAMESPACE = ResourceKind("", "v1", "namespaces", "Namespace", namespaced=False)

CONTAINER = "agent"
JOB_LABEL = "batch.kubernetes.io/job-name"
_FOLDER = "/vpm-agent"
_LABELS: Mapping[str, str] = {"app.kubernetes.io/managed-by": "vpm-harness"}
# A mesh's sidecar would answer for the network that is to be probed, and outlive the engine.
_POD_LABELS: Mapping[str, str] = {**_LABELS, "sidecar.istio.io/inject": "false"}
_LEFTOVER_SECONDS = 60
_ENFORCED = "pod-security.kubernetes.io/enforce"
_UIDS_OF_OPENSHIFT = "openshift.io/sa.scc.uid-range"
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class AgentJob:
    """One run of the engine in a pod. `deadline` is in seconds from the Job's start.

    `user` says as whom, where the namespace asks for it; else it is the image's own user.
    """

    name: str
    namespace: str
    image: str
    plan: str
    agent: bytes
    deadline: int
    user: JsonObject = field(default_factory=dict)


def user_for(namespace: JsonObject | None) -> JsonObject:
    """Who the engine must be in a namespace: not root where PodSecurity is `restricted`.

    An image's own user may be root, so one is named; not on OpenShift, which gives a namespace
    users of its own and refuses all others. What cannot be read asks for nothing.
    """
    if text_at(namespace, "metadata", "labels", _ENFORCED) != "restricted":
        return {}
    if text_at(namespace, "metadata", "annotations", _UIDS_OF_OPENSHIFT):
        return {"runAsNonRoot": True}
    return {"runAsNonRoot": True, "runAsUser": _NOBODY}


def config_map(job: AgentJob) -> JsonObject:
    """The engine and its plan, to be mounted into the pod."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": job.name, "namespace": job.namespace, "labels": _LABELS},
        "data": {"plan.json": job.plan},
        "binaryData": {"agent.pyz": base64.b64encode(job.agent).decode()},
    }


def job_manifest(job: AgentJob) -> JsonObject:
    """The Job: one attempt, no token, no privileges, and gone by itself should nobody delete it."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job.name, "namespace": job.namespace, "labels": _LABELS},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": job.deadline,
            "ttlSecondsAfterFinished": _LEFTOVER_SECONDS,
            "template": {"metadata": {"labels": _POD_LABELS}, "spec": _pod_spec(job)},
        },
    }


def owned_by(job: JsonObject) -> JsonObject:
    """A patch that makes an object go when the Job goes."""
    metadata = job["metadata"]
    assert isinstance(metadata, Mapping)
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {"metadata": {"ownerReferences": [owner]}}


def _pod_spec(job: AgentJob) -> JsonObject:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, **job.user},
        "containers": [
            {
                "name": CONTAINER,
                "image": job.image,
                "imagePullPolicy": "IfNotPresent",
                "command": [
                    "python3",
                    "-I",
                    "-S",
                    f"{_FOLDER}/agent.pyz",
                    f"{_FOLDER}/plan.json",
                ],
                "env": [
                    _field("POD_NAME", "metadata.name"),
                    _field("POD_NAMESPACE", "metadata.namespace"),
                    _field("NODE_NAME", "spec.nodeName"),
                    {"name": "AGENT_IMAGE", "value": job.image},
                ],
                "resources": {
                    "requests": {"cpu": "50m", "memory": "64Mi"},
                    "limits": {"memory": "256Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "agent", "mountPath": _FOLDER, "readOnly": True}],
            }
        ],
        "volumes": [{"name": "agent", "configMap": {"name": job.name}}],
    }


def _field(name: str, path: str) -> JsonObject:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
