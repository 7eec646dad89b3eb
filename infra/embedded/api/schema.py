"""The schema of a CRD at work: its defaults, and what breaks its rules.  Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.embedded.api.body import type_name
from infra.embedded.api.shapes import Shape
from infra.embedded.errors import Cause, Invalid
from infra.embedded.kinds import Kind
from infra.embedded.store import Obj, copy

FITS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "bytes": (str,),
    "time": (str,),
    "int": (int,),
    "number": (int, float),
    "bool": (bool,),
    "list": (list,),
    "object": (dict,),
    "map": (dict,),
    "quantity": (str, int, float),
    "intstr": (str, int),
}


def default(kind: Kind, obj: Obj) -> None:
    """Write the schema's defaults into an object, in place."""
    if isinstance(kind.shape, Shape):
        _fill(kind.shape, obj)


def _fill(shape: Shape, value: Any) -> None:
    if isinstance(value, dict):
        for name, child in shape.fields.items():
            if "default" not in child.schema:
                continue
            # A null where none may be counts as absent.
            if name not in value or (value[name] is None and not child.schema.get("nullable")):
                value[name] = copy({"": child.schema["default"]})[""]
        for name, inner in value.items():
            if (known := shape.child(name)) is not None:
                _fill(known, inner)
    elif isinstance(value, list) and shape.items is not None:
        for inner in value:
            _fill(shape.items, inner)


def check(kind: Kind, obj: Obj) -> None:
    """Raise Invalid where an object breaks the schema of its CRD."""
    if not isinstance(kind.shape, Shape):
        return
    causes = [c for c in _violations(kind.shape, obj, "") if not c.field.startswith("metadata")]
    if causes:
        raise Invalid(kind, obj["metadata"].get("name", ""), causes)


def _violations(shape: Shape, value: Any, path: str) -> Iterator[Cause]:
    if value is None and shape.schema.get("nullable"):
        return
    if shape.sort != "any" and not _fits(shape, value):
        yield wrong_type(path, shape.schema.get("type", ""), value)
        return
    yield from _constraints(shape.schema, value, path)
    if isinstance(value, dict):
        for name in shape.schema.get("required", ()):
            if name not in value:
                yield Cause("FieldValueRequired", "Required value", _join(path, name))
        for name, item in value.items():
            if (child := shape.child(name)) is not None:
                yield from _violations(child, item, _join(path, name))
    elif isinstance(value, list) and shape.items is not None:
        for index, item in enumerate(value):
            yield from _violations(shape.items, item, f"{path}[{index}]")


def wrong_type(path: str, wanted: str, value: Any) -> Cause:
    """A value of another type than the schema's, in the words of the API server."""
    shown = "null" if value is None else {"array": "array", "object": "object"}.get(
        type_name(value), {"bool": "boolean", "number": "integer"}.get(type_name(value), "string")
    )  # fmt: skip
    message = f'Invalid value: "{shown}": {path} in body must be of type {wanted}: "{shown}"'
    return Cause("FieldValueTypeInvalid", message, path)


def _fits(shape: Shape, value: Any) -> bool:
    if isinstance(value, bool):
        return shape.sort == "bool"
    return isinstance(value, FITS[shape.sort])


def _constraints(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[Cause]:
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(f'"{item}"' for item in schema["enum"])
        message = f'Unsupported value: "{value}": supported values: {allowed}'
        yield Cause("FieldValueNotSupported", message, path)
    rules: Mapping[str, Rule] = {}
    if isinstance(value, int | float) and not isinstance(value, bool):
        rules, shown = _OF_NUMBERS, str(value)
    elif isinstance(value, str):
        rules, shown = _OF_TEXTS, f'"{value}"'
    elif isinstance(value, list):
        rules, shown = _OF_LISTS, str(len(value))
    elif isinstance(value, dict):
        rules, shown = _OF_OBJECTS, str(len(value))
    for name, (broken, words) in rules.items():
        if name in schema and broken(value, schema):
            why = f"{path} in body {words.format(schema[name])}"
            yield Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", path)


# By keyword: whether a value breaks it, and how the API server puts that.
Rule = tuple[Callable[[Any, Mapping[str, Any]], bool], str]
_OF_NUMBERS: dict[str, Rule] = {
    "minimum": (
        lambda v, s: v < s["minimum"] or (v == s["minimum"] and bool(s.get("exclusiveMinimum"))),
        "should be greater than or equal to {}",
    ),
    "maximum": (
        lambda v, s: v > s["maximum"] or (v == s["maximum"] and bool(s.get("exclusiveMaximum"))),
        "should be less than or equal to {}",
    ),
    "multipleOf": (lambda v, s: v % s["multipleOf"] != 0, "should be a multiple of {}"),
}
_OF_TEXTS: dict[str, Rule] = {
    "pattern": (lambda v, s: not re.search(s["pattern"], v), "should match '{}'"),
    "minLength": (lambda v, s: len(v) < s["minLength"], "should be at least {} chars long"),
    "maxLength": (lambda v, s: len(v) > s["maxLength"], "may not be more than {} bytes"),
}
_OF_LISTS: dict[str, Rule] = {
    "minItems": (lambda v, s: len(v) < s["minItems"], "should have at least {} items"),
    "maxItems": (lambda v, s: len(v) > s["maxItems"], "must have at most {} items"),
}
_OF_OBJECTS: dict[str, Rule] = {
    "minProperties": (
        lambda v, s: len(v) < s["minProperties"], "should have at least {} properties"
    ),
    "maxProperties": (
        lambda v, s: len(v) > s["maxProperties"], "must have at most {} properties"
    ),
}  # fmt: skip


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
