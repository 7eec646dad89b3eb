"""A pod's one-word status, as the API server's printer derives it.  Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

Obj = dict[str, Any]
Since = Callable[[str | None, datetime], str]


def pod_cells(pod: Obj, age: str, since: Since, now: datetime) -> Sequence[Any]:
    """Ready, status, restarts, age, and the wide columns."""
    spec, status = pod.get("spec", {}), pod.get("status", {})
    containers = status.get("containerStatuses", [])
    ready = sum(bool(c.get("ready")) for c in containers)
    gates = spec.get("readinessGates")
    return (
        f"{ready}/{len(spec.get('containers', []))}",
        pod_status(pod),
        _restarts([*status.get("initContainerStatuses", []), *containers], since, now),
        age,
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"0/{len(gates)}" if gates else "<none>",
    )


def pod_status(pod: Obj) -> str:
    """The Status column: phase, or what keeps the containers from running."""
    status = pod.get("status", {})
    word = status.get("reason") or status.get("phase", "Pending")
    containers = status.get("containerStatuses", [])
    init = _init_status(pod)
    if init is not None:
        word = init
    else:
        for container in reversed(containers):
            word = _waiting_or_terminated(container) or word
        if word == "Completed" and any(_running(c) for c in containers):
            word = "Running" if _condition(status, "Ready") == "True" else "NotReady"
    if "deletionTimestamp" in pod["metadata"] and word not in ("Completed", "Succeeded"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(word)


def _init_status(pod: Obj) -> str | None:
    status, spec = pod.get("status", {}), pod.get("spec", {})
    total = len(spec.get("initContainers", []))
    for index, container in enumerate(status.get("initContainerStatuses", [])):
        state = container.get("state", {})
        ended = state.get("terminated")
        if ended is not None and ended.get("exitCode", 0) == 0:
            continue
        if ended is not None:
            return f"Init:{_waiting_or_terminated(container)}"
        reason = state.get("waiting", {}).get("reason", "")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{index}/{total}"
    return None


def _waiting_or_terminated(container: Obj) -> str | None:
    state = container.get("state", {})
    if waiting := state.get("waiting", {}).get("reason"):
        return str(waiting)
    ended = state.get("terminated")
    if ended is None:
        return None
    if ended.get("reason"):
        return str(ended["reason"])
    signal = ended.get("signal", 0)
    return f"Signal:{signal}" if signal else f"ExitCode:{ended.get('exitCode', 0)}"


def _running(container: Obj) -> bool:
    return bool(container.get("ready")) and "running" in container.get("state", {})


def _restarts(containers: Sequence[Obj], since: Since, now: datetime) -> str:
    count = sum(c.get("restartCount", 0) for c in containers)
    ends = [
        c["lastState"]["terminated"].get("finishedAt")
        for c in containers
        if "terminated" in c.get("lastState", {})
    ]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({since(last, now)} ago)" if count and last else str(count)


def _condition(status: Obj, kind: str) -> str:
    return next((c["status"] for c in status.get("conditions", []) if c["type"] == kind), "")
