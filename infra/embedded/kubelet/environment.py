"""A container's environment, arguments and references into the pod: pure functions of objects."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Obj = Mapping[str, Any]
Lookup = Callable[[str, str], Obj | None]  # ("ConfigMap" | "Secret", name) in the pod's namespace

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")
_WORD = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")


class ConfigError(Exception):
    """A container's configuration refers to something that does not exist."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Kubernetes' `$(NAME)` references; `$$(NAME)` and unknown names stay as they are."""

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "$"
        return variables.get(name, match.group(0))

    return _REFERENCE.sub(replace, text)


def field(pod: Obj, path: str) -> str:
    """The value of a downward API fieldPath; raises ConfigError."""
    if match := _SUBSCRIPT.match(path):
        values: Mapping[str, str] = pod["metadata"].get(match.group(1)) or {}
        return values.get(match.group(2), "")
    if path in ("metadata.labels", "metadata.annotations"):
        values = pod["metadata"].get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(values.items()))
    value: Any = pod
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if path == "status.podIPs":
        value = ",".join(ip["ip"] for ip in pod.get("status", {}).get("podIPs", ()))
    if value is None and not path.startswith(("metadata.", "spec.", "status.")):
        raise ConfigError(f"unsupported fieldPath: {path}")
    return "" if value is None else str(value)


def decoded(obj: Obj, kind: str) -> dict[str, bytes]:
    """All keys of a ConfigMap or Secret as bytes."""
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    content = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    binary = obj.get("binaryData") or {}
    return content | {key: base64.b64decode(value) for key, value in binary.items()}


def environment(
    container: Obj, pod: Obj, lookup: Lookup, base: Mapping[str, str]
) -> dict[str, str]:
    """The variables of a container over `base`, those of its image; raises ConfigError."""
    values = dict(base)
    for source in container.get("envFrom") or ():
        values.update(_from_source(source, lookup))
    for entry in container.get("env") or ():
        if "valueFrom" not in entry:
            values[entry["name"]] = expand(entry.get("value") or "", values)
            continue
        value = _from_reference(entry["valueFrom"], container, pod, lookup)
        if value is not None:
            values[entry["name"]] = value
    return values


def _from_source(source: Obj, lookup: Lookup) -> dict[str, str]:
    for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if key in source:
            found = lookup(kind, source[key]["name"])
            if found is None:
                if source[key].get("optional"):
                    return {}
                raise ConfigError(f'{kind.lower()} "{source[key]["name"]}" not found')
            prefix = source.get("prefix", "")
            return {
                prefix + name: content.decode("utf-8", "replace")
                for name, content in decoded(found, kind).items()
                if _WORD.match(prefix + name)
            }
    return {}


def _from_reference(reference: Obj, container: Obj, pod: Obj, lookup: Lookup) -> str | None:
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if key in reference:
            return _key(kind, reference[key], pod, lookup)
    if "fieldRef" in reference:
        return field(pod, reference["fieldRef"].get("fieldPath", ""))
    if "resourceFieldRef" in reference:
        return _resource(container, reference["resourceFieldRef"])
    return None


def _key(kind: str, selector: Obj, pod: Obj, lookup: Lookup) -> str | None:
    name, key, optional = selector["name"], selector["key"], bool(selector.get("optional"))
    found = lookup(kind, name)
    if found is None:
        if optional:
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    content = decoded(found, kind)
    if key not in content:
        if optional:
            return None
        namespace = pod["metadata"]["namespace"]
        raise ConfigError(f"couldn't find key {key} in {kind} {namespace}/{name}")
    return content[key].decode("utf-8", "replace")


def _resource(container: Obj, selector: Obj) -> str:
    side, _, name = selector.get("resource", "").partition(".")
    quantity = ((container.get("resources") or {}).get(side) or {}).get(name)
    return str(quantity if quantity is not None else 0)


def command_line(
    container: Obj, image_command: Sequence[str], variables: Mapping[str, str]
) -> tuple[str, ...]:
    """The program and its arguments: the container's own over the image's."""
    command = container.get("command") or image_command
    arguments = container.get("args") or ()
    return tuple(expand(part, variables) for part in (*command, *arguments))


def port_number(container: Obj, port: int | str) -> int:
    """A port by number or by its name in the container; raises ConfigError."""
    if isinstance(port, int) or str(port).isdecimal():
        return int(port)
    for entry in container.get("ports") or ():
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise ConfigError(f"couldn't find port: {port!r} for container {container['name']}")
