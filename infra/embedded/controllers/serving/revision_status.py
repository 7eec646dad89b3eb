"""What a revision's Deployment, first pod and PodAutoscaler mean for its conditions."""

from collections.abc import Iterable

from infra.embedded.controllers import conditions
from infra.embedded.controllers.conditions import Conditions
from infra.embedded.controllers.serving.status import Draft
from infra.embedded.store import Obj

ACTIVE, CONTAINER_HEALTHY = "Active", "ContainerHealthy"
RESOURCES_AVAILABLE = "ResourcesAvailable"
_DEADLINE = "ProgressDeadlineExceeded"


def _entry(deployment: Obj, type: str) -> Obj | None:
    entries: Iterable[Obj] = deployment.get("status", {}).get("conditions") or ()
    return next((entry for entry in entries if entry["type"] == type), None)


def propagate_deployment(marks: Conditions, deployment: Obj) -> None:
    """ResourcesAvailable from the Deployment's Progressing and ReplicaFailure."""
    failure = _entry(deployment, "ReplicaFailure")
    progress = _entry(deployment, "Progressing")
    if failure is not None and failure["status"] == "True":
        marks.mark_false(RESOURCES_AVAILABLE, failure["reason"], failure["message"])
    elif progress is None or progress["status"] == "Unknown":
        reason = (progress or {}).get("reason", "")
        marks.mark_unknown(RESOURCES_AVAILABLE, reason, (progress or {}).get("message", ""))
    elif progress["status"] == "False":
        marks.mark_false(RESOURCES_AVAILABLE, progress["reason"], progress["message"])
    else:
        marks.mark_true(RESOURCES_AVAILABLE)


def has_pods(deployment: Obj) -> bool:
    """Whether a pod is available now."""
    return bool(deployment.get("status", {}).get("availableReplicas", 0))


def lacks_pods(deployment: Obj) -> bool:
    """Whether pods are wanted and none is available: then the first one may say why."""
    return bool(deployment["spec"].get("replicas", 1) > 0 and not has_pods(deployment))


def propagate_recovery(marks: Conditions) -> None:
    """A container that exited before has a pod that serves now."""
    if marks.has(CONTAINER_HEALTHY, conditions.FALSE):
        marks.mark_true(CONTAINER_HEALTHY)


def timed_out(deployment: Obj) -> bool:
    progress = _entry(deployment, "Progressing")
    return progress is not None and (progress["status"], progress["reason"]) == ("False", _DEADLINE)


def propagate_pod(marks: Conditions, deployment: Obj, pod: Obj, container: str) -> None:
    """Why a pod cannot run: not scheduled, its container exits, or waits beyond the deadline."""
    status = pod.get("status", {})
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            reason, message = condition.get("reason", ""), condition.get("message", "")
            marks.mark_false(RESOURCES_AVAILABLE, reason, message)
    for entry in status.get("containerStatuses", ()):
        if entry["name"] != container:
            continue
        ended = entry.get("lastState", {}).get("terminated")
        waiting = entry.get("state", {}).get("waiting")
        if ended is not None:
            message = ended.get("message", "")
            if not message and ended["exitCode"] == 0:
                message = "container exited with no error"
            message = f"Container failed with: {message}"
            marks.mark_false(CONTAINER_HEALTHY, f"ExitCode{ended['exitCode']}", message)
        elif waiting is not None and timed_out(deployment):
            reason, message = waiting.get("reason", ""), waiting.get("message", "")
            marks.mark_false(RESOURCES_AVAILABLE, reason, message)


def propagate_autoscaler(draft: Draft, autoscaler: Obj) -> None:
    """Active, and whether the revision's pods have ever been ready."""
    marks, status = draft.conditions, autoscaler.get("status", {})
    failed = marks.has(RESOURCES_AVAILABLE, "False") or marks.has(CONTAINER_HEALTHY, "False")
    actual, desired = status.get("actualScale"), status.get("desiredScale")
    draft.put(
        actualReplicas=actual if actual is not None and actual >= 0 else None,
        desiredReplicas=desired if desired is not None and desired >= 0 else None,
    )
    ready = conditions.find(autoscaler)
    if ready is None:
        marks.mark_unknown(ACTIVE, "Deploying")
        if not failed:
            marks.mark_unknown(RESOURCES_AVAILABLE, "Deploying")
        return
    initialized = conditions.is_true(autoscaler, "ScaleTargetInitialized")
    named = bool(status.get("serviceName"))
    if initialized and not failed:
        marks.mark_true(RESOURCES_AVAILABLE)
        marks.mark_true(CONTAINER_HEALTHY)
    if marks.has(RESOURCES_AVAILABLE, "True") and not (named and initialized):
        marks.mark_unknown(RESOURCES_AVAILABLE, "Deploying")
    if ready.is_false and named and not initialized and not failed:
        message = "Initial scale was never achieved"
        marks.mark_false(RESOURCES_AVAILABLE, _DEADLINE, message)
    marks.copy_status(ACTIVE, ready)
