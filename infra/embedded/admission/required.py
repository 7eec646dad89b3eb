"""What Kubernetes demands of the built-in kinds beyond the types of their fields.  Pure.

The shapes say what fields there are; the tables here say, by Go type, which of them must be set,
which may not be negative, and what else holds for the type as a whole.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.embedded.api import shapes
from infra.embedded.api.shapes import Shape
from infra.embedded.controllers.workloads import schedule
from infra.embedded.errors import Cause
from infra.embedded.kinds import Kind

Obj = dict[str, Any]
Rule = Callable[[Obj, str], Iterator[Cause]]

_LAST_PORT = 65535
_SPEC = ("spec",)
# A struct with demands of its own counts as empty, not as missing: its fields are named instead.
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "ClusterRoleBinding": ("roleRef",),
    "ConfigMapKeySelector": ("key",),
    "Container": ("name", "image"),
    "ContainerPort": ("containerPort",),
    "CronJob": _SPEC,
    "CronJobSpec": ("schedule", "jobTemplate"),
    "CrossVersionObjectReference": ("kind", "name"),
    "DaemonSet": _SPEC,
    "DaemonSetSpec": ("selector", "template"),
    "Deployment": _SPEC,
    "DeploymentSpec": ("selector", "template"),
    "Endpoint": ("addresses",),
    "EndpointSlice": ("addressType",),
    "EnvVar": ("name",),
    "ExecAction": ("command",),
    "HorizontalPodAutoscaler": _SPEC,
    "HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "Job": _SPEC,
    "JobSpec": ("template",),
    "JobTemplateSpec": _SPEC,
    "Pod": _SPEC,
    "PodSpec": ("containers",),
    "PodTemplateSpec": _SPEC,
    "ReplicaSet": _SPEC,
    "ReplicaSetSpec": ("selector", "template"),
    "RoleBinding": ("roleRef",),
    "RoleRef": ("name",),
    "SecretKeySelector": ("key",),
    "Service": _SPEC,
    "ServiceSpec": (),
    "StatefulSet": _SPEC,
    "StatefulSetSpec": ("selector", "template"),
    "StorageClass": ("provisioner",),
    "Volume": ("name",),
    "VolumeMount": ("name", "mountPath"),
}
_NOT_NEGATIVE: Mapping[str, tuple[str, ...]] = {
    "CronJobSpec": (
        "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit",
    ),
    "DeploymentSpec": ("replicas", "minReadySeconds", "revisionHistoryLimit"),
    "JobSpec": (
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
        "ttlSecondsAfterFinished",
    ),
    "ReplicaSetSpec": ("replicas", "minReadySeconds"),
    "StatefulSetSpec": ("replicas", "minReadySeconds"),
}  # fmt: skip


def causes(kind: Kind, obj: Obj) -> list[Cause]:
    """Why an object with its defaults may not be stored; its fields are of the right types."""
    shape = shapes.of_kind(kind)
    return [] if shape is None or kind.custom else list(_of(shape, obj, ""))


def _of(shape: Shape, value: Any, path: str) -> Iterator[Cause]:
    if isinstance(value, list) and shape.items is not None:
        for index, item in enumerate(value):
            yield from _of(shape.items, item, f"{path}[{index}]")
    if not isinstance(value, dict) or shape.sort != "object":
        return
    demanded = _REQUIRED.get(shape.go, ())
    for name in demanded:
        if value.get(name) in (None, "", 0, []) and shape.fields[name].go not in _REQUIRED:
            yield required(join(path, name))
    for name in _NOT_NEGATIVE.get(shape.go, ()):
        if (value.get(name) or 0) < 0:
            message = f"Invalid value: {value[name]}: must be greater than or equal to 0"
            yield Cause("FieldValueInvalid", message, join(path, name))
    yield from _BEFORE_FIELDS.get(shape.go, _no_rule)(value, path)
    for name in dict.fromkeys((*demanded, *value)):
        child, inner = shape.fields.get(name), value.get(name)
        if child is not None and name not in ("metadata", "status"):
            yield from _of(child, {} if name in demanded and inner is None else inner,
                           join(path, name))  # fmt: skip
    yield from _AFTER_FIELDS.get(shape.go, _no_rule)(value, path)


def required(path: str, why: str = "") -> Cause:
    """A field that must be set."""
    return Cause("FieldValueRequired", f"Required value{why and ': '}{why}", path)


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _no_rule(_: Obj, __: str) -> Iterator[Cause]:
    return iter(())


def _selects(spec: Obj, path: str) -> Iterator[Cause]:
    """A workload's selector must select the pods of its own template."""
    template: Obj = spec.get("template") or {}
    labels: Obj = (template.get("metadata") or {}).get("labels") or {}
    selector: Obj | None = spec.get("selector")
    if selector is not None and not any(selector.values()):
        message = "Invalid value: {}: empty selector is invalid for deployment"
        yield Cause("FieldValueInvalid", message, f"{path}.selector")
        return
    wanted: Obj = (selector or {}).get("matchLabels") or {}
    if selector is None or any(labels.get(key) != value for key, value in wanted.items()):
        shown = json.dumps(labels or None, sort_keys=True, separators=(",", ":"))
        message = f"Invalid value: {shown}: `selector` does not match template `labels`"
        yield Cause("FieldValueInvalid", message, f"{path}.template.metadata.labels")


def _always_restarts(spec: Obj, path: str) -> Iterator[Cause]:
    policy = _restart_policy(spec)
    if policy not in (None, "Always"):
        message = f'Unsupported value: "{policy}": supported values: "Always"'
        yield Cause("FieldValueNotSupported", message, f"{path}.template.spec.restartPolicy")


def _ends(spec: Obj, path: str) -> Iterator[Cause]:
    """A Job's pods may not start again for ever."""
    if _restart_policy(spec) not in ("Never", "OnFailure"):
        where = f"{path}.template.spec.restartPolicy"
        yield required(where, 'valid values: "OnFailure", "Never"')


def _restart_policy(spec: Obj) -> Any:
    return ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")


def _scheduled(spec: Obj, path: str) -> Iterator[Cause]:
    text = spec.get("schedule")
    try:
        if text:
            schedule.parse(text)
    except ValueError as error:
        message = f'Invalid value: "{text}": {error}'
        yield Cause("FieldValueInvalid", message, f"{path}.schedule")


def _service(spec: Obj, path: str) -> Iterator[Cause]:
    external = spec.get("type") == "ExternalName"
    ports: list[Obj] = spec.get("ports") or []
    if external and not spec.get("externalName"):
        yield required(f"{path}.externalName")
    if not ports and not external and spec.get("clusterIP") != "None":
        yield required(f"{path}.ports")
    for index, port in enumerate(ports):
        where, number = f"{path}.ports[{index}]", port.get("port") or 0
        if len(ports) > 1 and not port.get("name"):
            yield required(f"{where}.name")
        if not 1 <= number <= _LAST_PORT:
            message = f"Invalid value: {number}: must be between 1 and {_LAST_PORT}, inclusive"
            yield Cause("FieldValueInvalid", message, f"{where}.port")


def _container_port(port: Obj, path: str) -> Iterator[Cause]:
    number = port.get("containerPort") or 0
    if number and not 1 <= number <= _LAST_PORT:
        message = f"Invalid value: {number}: must be between 1 and {_LAST_PORT}, inclusive"
        yield Cause("FieldValueInvalid", message, f"{path}.containerPort")


_BEFORE_FIELDS: Mapping[str, Rule] = {
    "ContainerPort": _container_port,
    "CronJobSpec": _scheduled,
    "DaemonSetSpec": _selects,
    "DeploymentSpec": _selects,
    "ReplicaSetSpec": _selects,
    "ServiceSpec": _service,
    "StatefulSetSpec": _selects,
}
_AFTER_FIELDS: Mapping[str, Rule] = {
    "DaemonSetSpec": _always_restarts,
    "DeploymentSpec": _always_restarts,
    "JobSpec": _ends,
    "ReplicaSetSpec": _always_restarts,
    "StatefulSetSpec": _always_restarts,
}
