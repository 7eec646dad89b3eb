"""Null, as Go's JSON decoder reads it: an absent member, or a zero item of a list or map.  Pure."""

from typing import Any

from infra.embedded.api.shapes import Shape, Sort

# What a value of each sort is before anything was decoded into it.
_ZERO: dict[Sort, Any] = {
    "string": "",
    "bytes": "",
    "int": 0,
    "number": 0,
    "bool": False,
    "quantity": "0",
    "intstr": 0,
}
_ALWAYS_WRITTEN = "creationTimestamp"  # Go writes a zero time as null


def settle(shape: Shape, value: Any) -> None:
    """Replace the nulls in a value, in place, by what Go's decoder makes of them."""
    if isinstance(value, dict):
        for name in list(value):
            child, inner = shape.child(name), value[name]
            if child is None or child.sort == "any":
                continue
            if inner is not None:
                settle(child, inner)
            elif shape.sort == "map":
                value[name] = _zero(child)
            elif name != _ALWAYS_WRITTEN:
                del value[name]
    elif isinstance(value, list) and shape.items is not None:
        for index, inner in enumerate(value):
            if inner is None:
                value[index] = _zero(shape.items)
            else:
                settle(shape.items, inner)


def _zero(shape: Shape) -> Any:
    if shape.sort == "object":
        return {}
    return _ZERO.get(shape.sort)  # a nil map, list, time or raw value stays null
