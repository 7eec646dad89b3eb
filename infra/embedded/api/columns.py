"""The columns that `kubectl get` shows for built-in kinds, as the API server prints them.  Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.embedded import kinds
from infra.embedded.api.pod_status import pod_cells
from infra.embedded.clock import parse_rfc3339
from infra.embedded.kinds import Kind

Obj = dict[str, Any]
Cells = Callable[[Obj, datetime], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Printer:
    """Columns and their cells.  A leading `+` means only with -o wide."""

    names: tuple[str, ...]
    cells: Cells
    named: bool = True  # whether the name is the first column


def age(obj: Obj, now: datetime) -> str:
    """How long ago the object was created, as kubectl writes durations."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(stamp: str | None, now: datetime) -> str:
    if not stamp:
        return "<unknown>"
    return duration(int((now - parse_rfc3339(stamp)).total_seconds()))


def duration(seconds: int) -> str:
    """Kubernetes' HumanDuration: `9s`, `3m5s`, `42m`, `5h3m`, `2d4h`, `40d`, `3y`."""
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    return _pair(days // 365, "y", days % 365, "d") if days < 8 * 365 else f"{days // 365}y"


def _pair(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def _get(obj: Any, *path: str, default: Any = None) -> Any:
    for part in path:
        obj = obj.get(part) if isinstance(obj, dict) else None
    return default if obj is None else obj


def _labels(labels: dict[str, str] | None) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted((labels or {}).items())) or "<none>"


def _template(obj: Obj) -> tuple[str, str, str]:
    """Names, images and selector of a workload's containers."""
    containers = _get(obj, "spec", "template", "spec", "containers", default=[])
    names = ",".join(c.get("name", "") for c in containers)
    images = ",".join(c.get("image", "") for c in containers)
    return names, images, _labels(_get(obj, "spec", "selector", "matchLabels"))


def _deployment(obj: Obj, now: datetime) -> Sequence[Any]:
    status = obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{_get(obj, 'spec', 'replicas', default=1)}"
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return ready, updated, available, age(obj, now), *_template(obj)


def _replicaset(obj: Obj, now: datetime) -> Sequence[Any]:
    status = obj.get("status", {})
    desired = _get(obj, "spec", "replicas", default=1)
    current, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
    return desired, current, ready, age(obj, now), *_template(obj)


def _service(obj: Obj, now: datetime) -> Sequence[Any]:
    spec = obj.get("spec", {})
    kind = spec.get("type", "ClusterIP")
    external = spec.get("externalName") if kind == "ExternalName" else ""
    if kind == "LoadBalancer":
        ingress = _get(obj, "status", "loadBalancer", "ingress", default=[])
        external = ",".join(i.get("ip") or i.get("hostname", "") for i in ingress) or "<pending>"
    external = external or ",".join(spec.get("externalIPs", [])) or "<none>"
    ports = ",".join(_service_port(port) for port in spec.get("ports", [])) or "<none>"
    address = spec.get("clusterIP") or "<none>"
    return kind, address, external, ports, age(obj, now), _labels(spec.get("selector"))


def _service_port(port: Obj) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def _endpoints(obj: Obj, now: datetime) -> Sequence[Any]:
    pairs = [
        f"{address.get('ip', '')}:{port.get('port', '')}"
        for subset in obj.get("subsets") or []
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return _some(pairs), age(obj, now)


def _endpointslice(obj: Obj, now: datetime) -> Sequence[Any]:
    ports = [str(port.get("port", "*")) for port in obj.get("ports") or []]
    addresses = [
        a for endpoint in obj.get("endpoints") or [] for a in endpoint.get("addresses") or ()
    ]
    return (
        obj.get("addressType", ""),
        _some(ports, "<unset>"),
        _some(addresses, "<unset>"),
        age(obj, now),
    )


def _some(items: Sequence[str], none: str = "<none>") -> str:
    """The first three items and how many more there are."""
    more = f" + {len(items) - 3} more..." if len(items) > 3 else ""
    return ",".join(items[:3]) + more if items else none


def _namespace(obj: Obj, now: datetime) -> Sequence[Any]:
    return _get(obj, "status", "phase", default=""), age(obj, now)


def _node(obj: Obj, now: datetime) -> Sequence[Any]:
    status = obj.get("status", {})
    ready: Obj = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
    state = "Ready" if ready.get("status") == "True" else "NotReady"
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    roles = ",".join(sorted(k.removeprefix(prefix) for k in labels if k.startswith(prefix)))
    info = status.get("nodeInfo", {})
    addresses = {a["type"]: a["address"] for a in status.get("addresses", [])}
    return (
        state, roles or "<none>", age(obj, now), info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"), addresses.get("ExternalIP", "<none>"),
        info.get("osImage", "<unknown>"), info.get("kernelVersion", "<unknown>"),
        info.get("containerRuntimeVersion", "<unknown>"),
    )  # fmt: skip


def _event(obj: Obj, now: datetime) -> Sequence[Any]:
    last = _get(obj, "series", "lastObservedTime") or obj.get("lastTimestamp")
    involved = obj.get("involvedObject", {})
    subject = f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"
    source = ", ".join(v for v in _get(obj, "source", default={}).values() if v)
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    return (
        since(last or first, now), obj.get("type", ""), obj.get("reason", ""), subject,
        involved.get("fieldPath", ""), source or obj.get("reportingComponent", ""),
        obj.get("message", "").strip(), since(first, now), obj.get("count") or 1,
        obj["metadata"]["name"],
    )  # fmt: skip


def _job(obj: Obj, now: datetime) -> Sequence[Any]:
    status, spec = obj.get("status", {}), obj.get("spec", {})
    conditions = {c["type"] for c in status.get("conditions", []) if c.get("status") == "True"}
    state = next((s for s in ("Complete", "Failed", "Suspended") if s in conditions), "Running")
    done = f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}"
    took = ""
    if started := status.get("startTime"):
        end = parse_rfc3339(status["completionTime"]) if "completionTime" in status else now
        took = duration(int((end - parse_rfc3339(started)).total_seconds()))
    return state, done, took, age(obj, now), *_template(obj)


def _cronjob(obj: Obj, now: datetime) -> Sequence[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    last = since(status["lastScheduleTime"], now) if status.get("lastScheduleTime") else "<none>"
    job = {"spec": _get(spec, "jobTemplate", "spec", default={})}
    return (
        spec.get("schedule", ""), spec.get("timeZone") or "<none>", str(spec.get("suspend", False)),
        len(status.get("active") or []), last, age(obj, now), *_template(job),
    )  # fmt: skip


def _count(*fields: str) -> Cells:
    def cells(obj: Obj, now: datetime) -> Sequence[Any]:
        return sum(len(obj.get(field) or {}) for field in fields), age(obj, now)

    return cells


_WORKLOAD = ("Age", "+Containers", "+Images", "+Selector")
DEFAULT = Printer(("Age",), lambda obj, now: (age(obj, now),))
PRINTERS: dict[Kind, Printer] = {
    kinds.POD: Printer(
        ("Ready", "Status", "Restarts", "Age", "+IP", "+Node", "+Nominated Node",
         "+Readiness Gates"),
        lambda obj, now: pod_cells(obj, age(obj, now), since, now),
    ),
    kinds.DEPLOYMENT: Printer(("Ready", "Up-to-date", "Available", *_WORKLOAD), _deployment),
    kinds.REPLICASET: Printer(("Desired", "Current", "Ready", *_WORKLOAD), _replicaset),
    kinds.SERVICE: Printer(
        ("Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "+Selector"), _service
    ),
    kinds.ENDPOINTS: Printer(("Endpoints", "Age"), _endpoints),
    kinds.ENDPOINTSLICE: Printer(("AddressType", "Ports", "Endpoints", "Age"), _endpointslice),
    kinds.NAMESPACE: Printer(("Status", "Age"), _namespace),
    kinds.NODE: Printer(
        ("Status", "Roles", "Age", "Version", "+Internal-IP", "+External-IP", "+OS-Image",
         "+Kernel-Version", "+Container-Runtime"), _node,
    ),
    kinds.EVENT: Printer(
        ("Last Seen", "Type", "Reason", "Object", "+Subobject", "+Source", "Message",
         "+First Seen", "+Count", "+Name"), _event, named=False,
    ),
    kinds.CONFIGMAP: Printer(("Data", "Age"), _count("data", "binaryData")),
    kinds.SECRET: Printer(
        ("Type", "Data", "Age"),
        lambda obj, now: (obj.get("type", "Opaque"), len(obj.get("data") or {}), age(obj, now)),
    ),
    kinds.SERVICEACCOUNT: Printer(("Secrets", "Age"), _count("secrets")),
    kinds.JOB: Printer(
        ("Status", "Completions", "Duration", *_WORKLOAD), _job
    ),
    kinds.CRONJOB: Printer(
        ("Schedule", "Timezone", "Suspend", "Active", "Last Schedule", *_WORKLOAD), _cronjob
    ),
    kinds.LEASE: Printer(
        ("Holder", "Age"),
        lambda obj, now: (_get(obj, "spec", "holderIdentity", default=""), age(obj, now)),
    ),
    kinds.CRD: Printer(
        ("Created At",), lambda obj, _: (obj["metadata"].get("creationTimestamp", ""),)
    ),
    kinds.ROLE: Printer(
        ("Created At",), lambda obj, _: (obj["metadata"].get("creationTimestamp", ""),)
    ),
    kinds.CLUSTERROLE: Printer(
        ("Created At",), lambda obj, _: (obj["metadata"].get("creationTimestamp", ""),)
    ),
}  # fmt: skip
INTEGERS = frozenset(["Up-to-date", "Available", "Desired", "Current", "Data", "Secrets", "Count"])
