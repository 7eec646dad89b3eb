"""What changed between two specs, written as Go's compare library does.  Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

Obj = dict[str, Any]

# The order of fields in Go's structs; others come after these, by name.
_ORDER = (
    "name", "image", "command", "args", "workingDir", "ports", "envFrom", "env", "resources",
    "volumeMounts", "livenessProbe", "readinessProbe", "startupProbe", "imagePullPolicy",
    "securityContext",
)  # fmt: skip
_POD_FIELDS = frozenset(
    ["containers", "volumes", "serviceAccountName", "imagePullSecrets", "enableServiceLinks",
     "automountServiceAccountToken", "initContainers"]
)  # fmt: skip
_ACRONYMS = {"httpGet": "HTTPGet", "tcpSocket": "TCPSocket", "grpc": "GRPC", "hostIPC": "HostIPC"}


def template_changes(old: Obj, new: Obj) -> str:
    """Changes between two RevisionTemplateSpecs, empty when there are none."""
    paths = [*_meta(old, new), *_spec(old.get("spec") or {}, new.get("spec") or {}, ".Spec")]
    return "".join(f"{{*v1.RevisionTemplateSpec}}{line}" for line in paths)


def spec_changes(old: Obj, new: Obj) -> str:
    """Changes between two RevisionSpecs, empty when there are none."""
    return "".join(f"*{{v1.RevisionSpec}}{line}" for line in _spec(old, new, ""))


def _meta(old: Obj, new: Obj) -> Iterator[str]:
    before, after = old.get("metadata") or {}, new.get("metadata") or {}
    for field in ("labels", "annotations"):
        has, gets = before.get(field) or {}, after.get(field) or {}
        for key in sorted(has.keys() | gets.keys()):
            if has.get(key) != gets.get(key):
                path = f'.ObjectMeta.{field.capitalize()}["{key}"]'
                yield _change(path, has.get(key, "?->"), gets.get(key, "?->"))


def _spec(old: Obj, new: Obj, path: str) -> Iterator[str]:
    for field in sorted(old.keys() | new.keys(), key=lambda f: (f not in _POD_FIELDS, f)):
        inner = f"{path}.PodSpec" if field in _POD_FIELDS else path
        yield from _differences(old.get(field), new.get(field), f"{inner}.{_go(field)}")


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for field in _ordered(old.keys() | new.keys()):
            yield from _differences(old.get(field), new.get(field), f"{path}.{_go(field)}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, f"{path}[{index}]")
    elif old or new or not (old in ({}, None) and new in ({}, None)):
        empty = "" if isinstance(old if new is None else new, str) else None
        yield _change(path, _go_value(old, empty), _go_value(new, empty))


def _ordered(fields: set[str]) -> Sequence[str]:
    places = {name: index for index, name in enumerate(_ORDER)}
    return sorted(fields, key=lambda field: (places.get(field, len(places)), field))


def _change(path: str, old: Any, new: Any) -> str:
    return f'{path}:\n\t-: "{old}"\n\t+: "{new}"\n'


def _go(field: str) -> str:
    return _ACRONYMS.get(field, field[:1].upper() + field[1:])


def _go_value(value: Any, empty: str | None) -> str:
    if value is None:
        return "nil" if empty is None else empty
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict) and "successThreshold" in value:
        return _go_probe(value)
    return str(value)


def _go_probe(probe: Obj) -> str:
    socket = probe.get("tcpSocket")
    port = (socket or {}).get("port", 0)
    number, name = (port, "") if isinstance(port, int) else (0, port)
    shown = f"&TCPSocketAction{{Port:{{0 {number} {name}}},Host:,}}" if socket else "nil"
    handler = f"ProbeHandler{{Exec:nil,HTTPGet:nil,TCPSocket:{shown},GRPC:nil,}}"
    numbers = "".join(
        f"{_go(field)}:{probe.get(field, 0)},"
        for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                      "successThreshold", "failureThreshold")
    )  # fmt: skip
    return f"&Probe{{ProbeHandler:{handler},{numbers}TerminationGracePeriodSeconds:nil,}}"
