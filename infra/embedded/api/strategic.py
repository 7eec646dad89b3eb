"""Strategic merge patch: lists with a merge key are merged by it, other lists replaced.  Pure."""

import copy
from typing import Any

from infra.embedded.errors import BadRequest

Obj = dict[str, Any]

# Merge keys by field; a field that means different things is told apart by the kind.
_KEYS = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "containerPort",
    "resourceClaims": "name",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_KEYS_OF_KIND = {
    ("Service", "ports"): "port",
    ("Endpoints", "ports"): "",
    ("EndpointSlice", "ports"): "",
    ("Node", "addresses"): "type",
}
_MERGED_SETS = frozenset(["finalizers"])
_DIRECTIVE, _ORDER, _DELETE_FROM, _RETAIN = (
    "$patch",
    "$setElementOrder/",
    "$deleteFromPrimitiveList/",
    "$retainKeys",
)


def merge_key(kind: str, field: str) -> str:
    """The field by which items of a list are the same, empty when the list is replaced."""
    return _KEYS_OF_KIND.get((kind, field), _KEYS.get(field, ""))


def strategic_merge(kind: str, target: Obj, patch: Obj) -> Obj:
    """A patched copy of an object; raises BadRequest."""
    try:
        merged: Obj = _merge_object(kind, copy.deepcopy(target), patch)
    except (AttributeError, TypeError) as error:  # keys or directives that no item can have
        raise BadRequest(f"unable to apply the strategic merge patch: {error}") from error
    return merged


def _merge_object(kind: str, target: Any, patch: Obj) -> Obj:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {k: copy.deepcopy(v) for k, v in patch.items() if k != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise BadRequest(f"unknown $patch directive {directive!r}")
    result: Obj = target if isinstance(target, dict) else {}
    if _RETAIN in patch:
        keep = set(patch[_RETAIN])
        result = {key: value for key, value in result.items() if key in keep}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            field = key.removeprefix(_DELETE_FROM)
            result[field] = [item for item in result.get(field, []) if item not in value]
        elif not key.startswith("$"):
            _merge_field(kind, result, key, value, patch.get(f"{_ORDER}{key}"))
    return result


def _merge_field(kind: str, result: Obj, key: str, value: Any, order: list[Any] | None) -> None:
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict):
        result[key] = _merge_object(kind, result.get(key), value)
    elif isinstance(value, list) and isinstance(result.get(key, []), list):
        result[key] = _merge_list(kind, key, result.get(key, []), value, order)
    else:
        result[key] = copy.deepcopy(value)


def _merge_list(
    kind: str, field: str, target: list[Any], patch: list[Any], order: list[Any] | None
) -> list[Any]:
    if field in _MERGED_SETS:
        return [*target, *(item for item in patch if item not in target)]
    name = merge_key(kind, field)
    if not name or not all(isinstance(item, dict) for item in patch):
        return copy.deepcopy(patch)
    if any(item.get(_DIRECTIVE) == "replace" for item in patch):
        return [copy.deepcopy(i) for i in patch if i.get(_DIRECTIVE) != "replace"]
    items = {item.get(name): item for item in target}
    for change in patch:
        if name not in change:
            raise BadRequest(f"map: {change} does not contain declared merge key: {name}")
        if change.get(_DIRECTIVE) == "delete":
            items.pop(change[name], None)
        else:
            items[change[name]] = _merge_object(kind, items.get(change[name]), change)
    if order is not None:
        places = {item.get(name): index for index, item in enumerate(order)}
        return sorted(items.values(), key=lambda i: places.get(i.get(name), len(places)))
    return list(items.values())
