"""Pod.status from what was observed of its containers: pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Obj = dict[str, Any]
Phase = Literal["Pending", "Running", "Succeeded", "Failed"]

CREATING: Obj = {"waiting": {"reason": "ContainerCreating"}}
INITIALIZING: Obj = {"waiting": {"reason": "PodInitializing"}}


@dataclass(slots=True)
class ContainerState:
    """What was observed of one container; `state` is the API's object."""

    name: str
    image: str
    state: Obj
    last: Obj = field(default_factory=dict)
    image_id: str = ""
    container_id: str = ""
    ready: bool = False
    started: bool = False
    restarts: int = 0
    mounts: Sequence[Obj] = ()
    resources: Obj = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """The exit code of a container that has ended."""
        terminated = self.state.get("terminated")
        return int(terminated["exitCode"]) if terminated else None

    def as_json(self) -> Obj:
        """The entry in containerStatuses."""
        entry: Obj = {
            "image": self.image,
            "imageID": self.image_id,
            "lastState": self.last,
            "name": self.name,
            "ready": self.ready,
            "resources": self.resources,
            "restartCount": self.restarts,
            "started": self.started,
            "state": self.state,
        }
        if self.container_id:
            entry["containerID"] = self.container_id
        if self.mounts:
            entry["volumeMounts"] = [_mount(mount) for mount in self.mounts]
        requests = self.resources.get("requests")
        if requests:
            entry["allocatedResources"] = requests
        return entry


def _mount(mount: Obj) -> Obj:
    entry = {"mountPath": mount["mountPath"], "name": mount["name"]}
    if mount.get("readOnly"):
        entry |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
    return entry


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a pod's status is made of, besides the pod."""

    init: Sequence[ContainerState]
    containers: Sequence[ContainerState]
    pod_ip: str
    host_ip: str
    start_time: str
    now: str
    sandbox: bool  # the pod's network is there
    terminating: bool = False


def phase(seen: Observed, restart_policy: str) -> Phase:
    """The pod's phase, as the kubelet derives it."""
    for done in seen.init:
        if done.exit_code is None:
            return "Pending"
        if done.exit_code != 0:
            return "Failed" if restart_policy == "Never" else "Pending"
    codes = [c.exit_code for c in seen.containers]
    if any(c.running for c in seen.containers):
        return "Running"
    if all(code is not None for code in codes):
        if restart_policy == "Always" and not seen.terminating:
            return "Running"
        if any(codes):
            return "Running" if restart_policy == "OnFailure" and not seen.terminating else "Failed"
        return "Succeeded"
    ended = any(c.exit_code is not None or c.last for c in seen.containers)
    return "Running" if ended else "Pending"


def pod_status(pod: Mapping[str, Any], seen: Observed) -> Obj:
    """The whole status; conditions keep their transition time while their status stays."""
    spec, old = pod["spec"], pod.get("status") or {}
    now = phase(seen, spec.get("restartPolicy", "Always"))
    status: Obj = {
        "conditions": _conditions(old.get("conditions") or [], seen, now),
        "containerStatuses": [c.as_json() for c in sorted(seen.containers, key=lambda c: c.name)],
        "hostIP": seen.host_ip,
        "hostIPs": [{"ip": seen.host_ip}],
        "phase": now,
        "qosClass": old.get("qosClass") or qos_class(spec),
        "startTime": seen.start_time,
    }
    if seen.pod_ip:
        status |= {"podIP": seen.pod_ip, "podIPs": [{"ip": seen.pod_ip}]}
    if seen.init:
        status["initContainerStatuses"] = [c.as_json() for c in seen.init]
    return status


def _conditions(old: Sequence[Obj], seen: Observed, now: Phase) -> list[Obj]:
    initialized = all(c.exit_code == 0 for c in seen.init)
    unready = [c.name for c in seen.containers if not c.ready]
    ended = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(now)
    not_ready: tuple[str, str] | None = None
    if ended:
        not_ready = (ended, "")
    elif unready:
        not_ready = (
            "ContainersNotReady",
            f"containers with unready status: [{' '.join(unready)}]",
        )
    waiting_init = [c.name for c in seen.init if c.exit_code != 0]
    not_initialized = None
    if not initialized:
        not_initialized = (
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(waiting_init)}]",
        )
    wanted: list[tuple[str, bool, tuple[str, str] | None]] = [
        ("PodReadyToStartContainers", seen.sandbox and not ended, None),
        ("Initialized", initialized, not_initialized),
        ("Ready", not_ready is None, not_ready),
        ("ContainersReady", not_ready is None, not_ready),
    ]
    before = {condition["type"]: condition for condition in old}
    made = [_condition(before.get(t), t, ok, why, seen.now) for t, ok, why in wanted]
    kept = [c for c in old if c["type"] not in {condition["type"] for condition in made}]
    return made + kept


def _condition(
    before: Obj | None, kind: str, ok: bool, why: tuple[str, str] | None, now: str
) -> Obj:
    status = "True" if ok else "False"
    same = before is not None and before["status"] == status
    condition: Obj = {
        "lastProbeTime": None,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else now,
        "status": status,
        "type": kind,
    }
    if why and not ok:
        condition["reason"] = why[0]
        if why[1]:
            condition["message"] = why[1]
    return condition


def qos_class(spec: Mapping[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort."""
    resources = [c.get("resources") or {} for c in spec["containers"]]
    if not any(r.get("requests") or r.get("limits") for r in resources):
        return "BestEffort"
    full = all(
        set(r.get("limits") or {}) >= {"cpu", "memory"}
        and (r.get("requests") or r["limits"]) == r["limits"]
        for r in resources
    )
    return "Guaranteed" if full else "Burstable"


def waiting(reason: str, message: str) -> Obj:
    """The state of a container that is not running yet, or not again."""
    return {"waiting": {"reason": reason, "message": message}}


def terminated(
    code: int,
    *,
    started: str,
    finished: str,
    container_id: str,
    message: str = "",
    reason: str = "",
) -> Obj:
    """The state of a container that has ended; without a reason its exit code says which."""
    entry: Obj = {
        "containerID": container_id,
        "exitCode": code,
        "finishedAt": finished,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "startedAt": started,
    }
    if message:
        entry["message"] = message
    return {"terminated": entry}
