"""Defaults of the built-in kinds, as far as clients and the other parts look at them."""

import base64
import ipaddress
from collections.abc import Callable
from typing import Any

from infra.embedded.admission.attempt import Attempt, Obj
from infra.embedded.admission.pods import admitted_spec
from infra.embedded.kinds import (
    CRONJOB,
    DEPLOYMENT,
    JOB,
    NAMESPACE,
    POD,
    REPLICASET,
    SECRET,
    SERVICE,
    Kind,
)
from infra.embedded.store import Store

_NODE_PORTS = range(30000, 32768)
_SERVICES = ipaddress.ip_network("10.96.0.0/16")


def default(store: Store, attempt: Attempt) -> Obj:
    """Write the defaults into the object, in place."""
    fill = _FILLERS.get(attempt.kind)
    if fill is not None:
        fill(store, attempt)
    return attempt.obj


def _namespace(_: Store, attempt: Attempt) -> None:
    obj = attempt.obj
    name = obj["metadata"].get("name", "")
    _section(obj["metadata"], "labels").setdefault("kubernetes.io/metadata.name", name)
    if attempt.old is None:
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
    else:
        obj["spec"] = attempt.old.get("spec", {})


def _secret(_: Store, attempt: Attempt) -> None:
    obj = attempt.obj
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(str(v).encode()).decode() for key, v in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _service(store: Store, attempt: Attempt) -> None:
    spec = _section(attempt.obj, "spec")
    old = (attempt.old or {}).get("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port", 0))
        if kind in ("NodePort", "LoadBalancer"):
            _node_port(store, port, old)
    if kind == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if not spec.get("clusterIP"):
        spec["clusterIP"] = old.get("clusterIP") or free_service_address(store)
    spec["clusterIPs"] = [spec["clusterIP"]]
    attempt.obj.setdefault("status", {"loadBalancer": {}})


def _node_port(store: Store, port: Obj, old: Obj) -> None:
    """The port that the client asks for, that the Service had, or a free one."""
    same = [p for p in old.get("ports") or [] if p.get("port") == port.get("port")]
    if not port.get("nodePort") and same:
        port["nodePort"] = same[0].get("nodePort")
    if not port.get("nodePort"):
        taken = {
            other.get("nodePort")
            for service in store.list(SERVICE)
            for other in service.get("spec", {}).get("ports") or []
        }
        port["nodePort"] = next(number for number in _NODE_PORTS if number not in taken)


def free_service_address(store: Store) -> str:
    """An address of 10.96.0.0/16 that no Service has."""
    taken = {obj.get("spec", {}).get("clusterIP") for obj in store.list(SERVICE)}
    start = store.revision % (_SERVICES.num_addresses - 512)
    for offset in range(256, _SERVICES.num_addresses - 1):
        address = str(_SERVICES[256 + (start + offset) % (_SERVICES.num_addresses - 512)])
        if address not in taken:
            return address
    raise RuntimeError("every Service address is in use")


def _pod(_: Store, attempt: Attempt) -> None:
    obj = attempt.obj
    spec = _section(obj, "spec")
    default_pod_spec(spec)
    if attempt.old is None:
        obj["spec"] = admitted_spec(spec)
        obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def default_pod_spec(spec: Obj) -> None:
    """Defaults of a PodSpec, in place."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or []:
            _container(container)
    for volume in spec.get("volumes") or []:
        for source in ("configMap", "secret"):
            if isinstance(volume.get(source), dict):
                volume[source].setdefault("defaultMode", 0o644)


def _container(container: Obj) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    _, _, tag = str(container.get("image", "")).rpartition("/")[2].partition(":")
    container.setdefault("imagePullPolicy", "Always" if tag in ("", "latest") else "IfNotPresent")
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(kind), dict):
            _probe(container[kind])


def _probe(probe: Obj) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    if isinstance(probe.get("httpGet"), dict):
        probe["httpGet"].setdefault("scheme", "HTTP")
        probe["httpGet"].setdefault("path", "/")


def _workload(_: Store, attempt: Attempt) -> None:
    spec = _section(attempt.obj, "spec")
    spec.setdefault("replicas", 1)
    if attempt.kind == DEPLOYMENT:
        rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
        spec.setdefault("strategy", {"type": "RollingUpdate", "rollingUpdate": rolling})
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
    default_pod_spec(_section(_section(spec, "template"), "spec"))


def _job(_: Store, attempt: Attempt) -> None:
    default_job_spec(_section(attempt.obj, "spec"))


def default_job_spec(spec: Obj) -> None:
    """Defaults of a JobSpec, in place."""
    for field, value in (
        ("backoffLimit", 6), ("completionMode", "NonIndexed"), ("completions", 1),
        ("parallelism", 1), ("suspend", False), ("manualSelector", False),
        ("podReplacementPolicy", "TerminatingOrFailed"),
    ):  # fmt: skip
        spec.setdefault(field, value)
    pod = _section(_section(spec, "template"), "spec")
    policy = pod.get("restartPolicy")
    default_pod_spec(pod)
    if policy is None:
        del pod["restartPolicy"]  # a Job has no default for it: it must be said


def _cronjob(_: Store, attempt: Attempt) -> None:
    spec = _section(attempt.obj, "spec")
    for field, value in (
        ("concurrencyPolicy", "Allow"), ("failedJobsHistoryLimit", 1),
        ("successfulJobsHistoryLimit", 3), ("suspend", False),
    ):  # fmt: skip
        spec.setdefault(field, value)


def _section(obj: Obj, name: str) -> dict[str, Any]:
    section = obj.get(name)
    if not isinstance(section, dict):
        section = obj[name] = {}
    return section


_FILLERS: dict[Kind, Callable[[Store, Attempt], None]] = {
    CRONJOB: _cronjob,
    DEPLOYMENT: _workload,
    JOB: _job,
    NAMESPACE: _namespace,
    POD: _pod,
    REPLICASET: _workload,
    SECRET: _secret,
    SERVICE: _service,
}
