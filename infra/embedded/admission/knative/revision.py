"""Validation of a RevisionSpec: the pod's part and Knative's own.  Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.embedded.admission.knative.defaults import Defaults
from infra.embedded.admission.knative.problems import (
    Problem,
    disallowed,
    invalid,
    missing,
    neither,
    out_of_bounds,
    several,
)
from infra.embedded.admission.knative.volumes import check_mounts, check_volumes

Obj = dict[str, Any]

RESERVED_PORTS = frozenset([8012, 8013, 8022, 8112, 9090, 9091])
_RESERVED_ENV = frozenset(["PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"])
_RESERVED_NAMES = frozenset(["queue-proxy", "istio-proxy"])
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
# Fields of a pod that stand behind feature flags, all of them off by default.
_GATED = (
    "affinity", "dnsConfig", "dnsPolicy", "hostAliases", "hostIPC", "hostNetwork", "hostPID",
    "nodeSelector", "priorityClassName", "runtimeClassName", "schedulerName",
    "shareProcessNamespace", "tolerations", "topologySpreadConstraints",
)  # fmt: skip
_HOST = r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*(:\d+)?"
_PATH = r"[a-z0-9_./-]+"
_IMAGE = re.compile(rf"({_HOST}/)?{_PATH}(:[\w][\w.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?")
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN, _LONGEST = re.compile(rf"{_LABEL}(\.{_LABEL})*"), 253
_INSECURE = (
    "Kubernetes default value is insecure, Knative may default this to secure in a future release"
)


def check_revision_spec(spec: Obj, path: str, defaults: Defaults) -> Iterator[Problem]:
    """Problems of a RevisionSpec, warnings among them."""
    yield from (disallowed(f"{path}.{name}") for name in _GATED if spec.get(name))
    yield from check_volumes(spec.get("volumes") or [], f"{path}.volumes")
    containers = spec.get("containers") or []
    if not containers:
        yield missing(f"{path}.containers")
    yield from _ports(containers, f"{path}.containers[*].ports")
    for index, container in enumerate(containers):
        where = f"{path}.containers[{index}]"
        yield from _container(container, where)
        yield from check_mounts(container, spec.get("volumes") or [], where)
        yield from _insecure(container, spec.get("securityContext") or {}, where)
    account = spec.get("serviceAccountName") or ""
    if account and (len(account) > _LONGEST or not _SUBDOMAIN.fullmatch(account)):
        yield invalid("serviceAccountName", f"{path}.{account}")  # upstream swaps name and value
    timeout, most = spec.get("timeoutSeconds"), defaults.max_timeout
    for name, value in (
        ("timeoutSeconds", timeout),
        ("responseStartTimeoutSeconds", spec.get("responseStartTimeoutSeconds")),
        ("idleTimeoutSeconds", spec.get("idleTimeoutSeconds")),
    ):
        if value is not None and not 0 <= value <= most:
            yield out_of_bounds(value, 0, most, f"{path}.{name}")
    concurrency = spec.get("containerConcurrency")
    if concurrency is not None and not 0 <= concurrency <= defaults.max_concurrency:
        yield out_of_bounds(
            concurrency, 0, defaults.max_concurrency, f"{path}.containerConcurrency"
        )


def _ports(containers: Sequence[Obj], path: str) -> Iterator[Problem]:
    count = sum(len(container.get("ports") or []) for container in containers)
    if count == 0 and len(containers) > 1:
        yield missing(path)
    if count > 1:
        message = "more than one container port is set"
        yield Problem(message, (path,), "Only a single port is allowed across all containers")


def _container(container: Obj, path: str) -> Iterator[Problem]:
    name, image = container.get("name", ""), container.get("image", "")
    if name in _RESERVED_NAMES:
        yield Problem(f'"{name}" is a reserved container name', (f"{path}.name",))
    if not image:
        yield missing(f"{path}.image")
    elif not _IMAGE.fullmatch(image):
        yield Problem(
            "Failed to parse image reference",
            (f"{path}.image",),
            f'image: "{image}", error: could not parse reference: {image}',
        )
    yield from _environment(container, path)
    for port in container.get("ports") or []:
        yield from _port(port, f"{path}.ports")
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(kind):
            yield from _probe(container[kind], f"{path}.{kind}", default=kind == "readinessProbe")
    policy = container.get("terminationMessagePolicy")
    if policy not in (None, "", "File", "FallbackToLogsOnError"):
        yield invalid(policy, f"{path}.terminationMessagePolicy")
    yield from _security(container.get("securityContext") or {}, f"{path}.securityContext")


def _security(context: Obj, path: str) -> Iterator[Problem]:
    if context.get("privileged"):
        yield disallowed(f"{path}.privileged")
    for name in ("runAsUser", "runAsGroup"):
        number = context.get(name)
        if number is not None and not 0 <= number < 2**31:
            yield out_of_bounds(number, 0, 2**31 - 1, f"{path}.{name}")


def _environment(container: Obj, path: str) -> Iterator[Problem]:
    for index, variable in enumerate(container.get("env") or []):
        name = variable.get("name", "")
        if not name:
            yield missing(f"{path}.env[{index}].name")
        elif name in _RESERVED_ENV:
            yield Problem(f'"{name}" is a reserved environment variable',
                          (f"{path}.env[{index}].name",))  # fmt: skip
        source = variable.get("valueFrom")
        for kind in source or {}:
            if kind in ("fieldRef", "resourceFieldRef"):
                yield disallowed(f"{path}.env[{index}].valueFrom.{kind}")


def _port(port: Obj, path: str) -> Iterator[Problem]:
    number = port.get("containerPort", 0)
    if number in RESERVED_PORTS:
        yield invalid(
            f"{number} is a reserved port",
            f"{path}.containerPort",
            f"{number} is a reserved port, please use a different value",
        )
    elif not 1 <= number <= 65535:
        yield out_of_bounds(number, 1, 65535, f"{path}.containerPort")
    if port.get("protocol", "TCP") not in ("", "TCP"):
        yield invalid(port["protocol"], f"{path}.protocol")
    name = port.get("name", "")
    if name not in ("", "h2c", "http1"):
        yield Problem(f"Port name {name} is not allowed", (path,),
                      "Name must be empty, or one of: 'h2c', 'http1'")  # fmt: skip


def _probe(probe: Obj, path: str, *, default: bool) -> Iterator[Problem]:
    handlers = [kind for kind in _HANDLERS if probe.get(kind) is not None]
    if len(handlers) > 1:
        yield several(*(f"{path}.{kind}" for kind in handlers))
    elif not handlers:
        yield neither(*(f"{path}.{kind}" for kind in _HANDLERS))
    for name, least in (("initialDelaySeconds", 0), ("periodSeconds", 0)):
        if probe.get(name, least) < least:
            yield out_of_bounds(probe[name], least, 2**31 - 1, f"{path}.{name}")
    period = probe.get("periodSeconds", 0)
    if default and period == 0:
        for name in ("failureThreshold", "timeoutSeconds"):
            if probe.get(name):
                message = f"{name} is disallowed when periodSeconds is zero"
                yield Problem(message, (f"{path}.{name}",))
    if default and probe.get("successThreshold", 1) < 1:
        yield out_of_bounds(probe["successThreshold"], 1, 2**31 - 1, f"{path}.successThreshold")


def _insecure(container: Obj, pod: Obj, path: str) -> Iterator[Problem]:
    own = container.get("securityContext") or {}
    absent = [
        name
        for name, present in (
            ("allowPrivilegeEscalation", "allowPrivilegeEscalation" in own),
            ("capabilities", "capabilities" in own),
            ("runAsNonRoot", "runAsNonRoot" in own or "runAsNonRoot" in pod),
            ("seccompProfile", "seccompProfile" in own or "seccompProfile" in pod),
        )
        if not present
    ]
    if absent:
        paths = tuple(f"{path}.securityContext.{name}" for name in absent)
        yield Problem(_INSECURE, paths, warning=True)
