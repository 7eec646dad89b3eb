"""Pods as controllers make them, and what they say about themselves.  Pure functions."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from infra.embedded.admission.pods import admitted_spec
from infra.embedded.clock import parse_rfc3339
from infra.embedded.controllers.meta import controller_ref, is_deleting
from infra.embedded.store import Obj, generate_name

_FINISHED = ("Succeeded", "Failed")


def pod_of(template: Obj, owner: Obj, namespace: str, generate: str) -> Obj:
    """A new pod of a workload's template; `generate` is the prefix of its name."""
    meta = template.get("metadata") or {}
    kept = {key: dict(meta[key]) for key in ("labels", "annotations") if meta.get(key)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": generate_name(generate),
            "generateName": generate,
            "namespace": namespace,
            **kept,
            "ownerReferences": [controller_ref(owner)],
        },
        "spec": admitted_spec(template["spec"]),
        "status": {"phase": "Pending", "qosClass": qos_class(template["spec"])},
    }


def qos_class(spec: Obj) -> str:
    """Kubernetes' quality-of-service class of a pod, from its requests and limits."""
    containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    resources = [container.get("resources") or {} for container in containers]
    if not any(r.get("requests") or r.get("limits") for r in resources):
        return "BestEffort"
    return "Guaranteed" if all(map(_guaranteed, resources)) else "Burstable"


def _guaranteed(resources: Mapping[str, Any]) -> bool:
    limits = resources.get("limits") or {}
    requests = {**limits, **(resources.get("requests") or {})}
    return {"cpu", "memory"} <= limits.keys() and requests == limits


def phase(pod: Obj) -> str:
    found: str = pod.get("status", {}).get("phase", "Pending")
    return found


def is_active(pod: Obj) -> bool:
    """Neither finished nor on its way out."""
    return not is_deleting(pod) and phase(pod) not in _FINISHED


def condition(pod: Obj, type: str) -> Obj | None:
    """A condition of a pod as JSON."""
    entries: Iterable[Obj] = pod.get("status", {}).get("conditions") or ()
    return next((entry for entry in entries if entry["type"] == type), None)


def is_ready(pod: Obj) -> bool:
    ready = condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def ready_since(pod: Obj) -> datetime | None:
    """When the pod became ready (UTC), if it is."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True" or not ready.get("lastTransitionTime"):
        return None
    return parse_rfc3339(ready["lastTransitionTime"])
