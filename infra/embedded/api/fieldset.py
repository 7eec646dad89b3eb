"""Sets of fields: which parts of an object somebody set, as `fieldsV1` writes them.  Pure.

A path is a tuple of steps: `f:NAME` into an object, `k:{...}` into a list whose items are told
apart by keys, `v:...` for a member of a set.  Other lists are single values.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.embedded.api.shapes import ANYTHING, Shape

Obj = dict[str, Any]
Path = tuple[str, ...]

# Fields that belong to the server, not to anybody who writes the object.
_SERVER = frozenset(
    ["apiVersion", "kind", "f:apiVersion", "f:kind"]
    + [f"f:metadata/f:{name}" for name in (
        "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generateName",
        "generation", "managedFields", "name", "namespace", "resourceVersion", "selfLink", "uid",
    )]
)  # fmt: skip


def values(shape: Shape | None, obj: Obj, *, structures: bool) -> dict[Path, Any]:
    """Every field of an object with its value.

    With `structures`, objects count as fields of their own beside what they hold.
    """
    found = {
        path: value
        for path, value in _walk(shape or ANYTHING, obj, (), structures=structures)
        if path and "/".join(path[:2]) not in _SERVER
    }
    found.pop(("f:metadata",), None)
    return found


def _walk(shape: Shape, value: Any, path: Path, *, structures: bool) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and shape.sort in ("object", "map", "any"):
        if structures or not value:
            yield path, {}
        for name, item in value.items():
            child = shape.child(name) or ANYTHING
            yield from _walk(child, item, (*path, f"f:{name}"), structures=structures)
    elif isinstance(value, list) and shape.keys == ("*",):
        for item in value:
            yield (*path, f"v:{_json(item)}"), item
    elif isinstance(value, list) and shape.keys and shape.items is not None:
        for item in value:
            here = (*path, item_step(shape.keys, item))
            yield here, {}
            yield from _walk(shape.items, item, here, structures=False)
    else:
        yield path, value


def item_step(keys: tuple[str, ...], item: Any) -> str:
    """The step to an item of a list that is told apart by keys."""
    members = item if isinstance(item, dict) else {}
    defaults = {"protocol": "TCP"}
    return "k:" + _json({key: members.get(key, defaults.get(key)) for key in keys})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def to_fields(paths: Iterable[Path]) -> Obj:
    """The fieldsV1 of a set of paths."""
    root: Obj = {}
    ordered = sorted(paths)
    inner = {path[:depth] for path in ordered for depth in range(1, len(path))}
    for path in ordered:
        node = root
        for step in path:
            node = node.setdefault(step, {})
        if path in inner or path[-1].startswith("k:"):
            node["."] = {}
    return root


def from_fields(fields: Mapping[str, Any]) -> frozenset[Path]:
    """The set of paths of a fieldsV1."""
    return frozenset(_paths(fields, ()))


def _paths(fields: Mapping[str, Any], path: Path) -> Iterator[Path]:
    if path and (not fields or "." in fields):
        yield path
    for step, inner in fields.items():
        if step != "." and isinstance(inner, dict):
            yield from _paths(inner, (*path, step))


def display(path: Path) -> str:
    """A path as messages show it: `.spec.containers[name="c"].image`."""
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            pairs = json.loads(rest).items()
            text += "[" + ",".join(f"{key}={_json(value)}" for key, value in pairs) + "]"
        else:
            text += f"[={rest}]"
    return text


def remove(shape: Shape | None, obj: Obj, path: Path) -> None:
    """Take the field at a path out of an object, in place; what is not there is left."""
    node: Any = obj
    current = shape or ANYTHING
    for step in path[:-1]:
        node, current = _enter(current, node, step)
        if node is None:
            return
    step = path[-1]
    if isinstance(node, dict) and step.startswith("f:"):
        node.pop(step.removeprefix("f:"), None)
    elif isinstance(node, list):
        if step.startswith("v:"):
            node[:] = [item for item in node if f"v:{_json(item)}" != step]
        else:
            node[:] = [item for item in node if item_step(current.keys, item) != step]


def _enter(shape: Shape, node: Any, step: str) -> tuple[Any, Shape]:
    if isinstance(node, dict) and step.startswith("f:"):
        name = step.removeprefix("f:")
        return node.get(name), shape.child(name) or ANYTHING
    if isinstance(node, list) and step.startswith("k:"):
        found = next((item for item in node if item_step(shape.keys, item) == step), None)
        return found, shape.items or ANYTHING
    return None, ANYTHING
