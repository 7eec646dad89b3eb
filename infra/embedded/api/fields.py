"""Field validation: unknown and duplicate fields, wrong types, and the schemas of CRDs."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.embedded.api import shapes
from infra.embedded.api.body import type_name
from infra.embedded.api.context import Call
from infra.embedded.api.shapes import Shape
from infra.embedded.errors import BadRequest, Cause, Invalid
from infra.embedded.kinds import Kind
from infra.embedded.store import Obj

_QUANTITY = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")
_FITS: dict[str, tuple[type, ...]] = {
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


def check(call: Call, obj: Obj, duplicates: Sequence[str]) -> None:
    """Drop unknown fields, and refuse or warn about them as `fieldValidation` asks."""
    kind = call.target.kind
    shape = shapes.of_kind(kind)
    problems = [f'duplicate field "{name}"' for name in duplicates]
    meta = obj.get("metadata")
    if mistake := next(mistakes(shapes.metadata(), meta, f"{kind.kind}.metadata"), None):
        raise BadRequest(_unhandled(kind, mistake))
    if shape is not None:
        problems += [f'unknown field "{path}"' for path in prune(shape, obj)]
        if not kind.custom and (mistake := next(mistakes(shape, obj, kind.kind), None)):
            raise BadRequest(_unhandled(kind, mistake))
    if not problems or call.options.validation == "Ignore":
        return
    if call.options.validation == "Warn":
        call.warnings += problems
        return
    raise BadRequest(_unhandled(kind, f"strict decoding error: {', '.join(problems)}"))


def _unhandled(kind: Kind, why: str) -> str:
    return f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}'


def prune(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Remove the fields that the shape does not know; yields their paths."""
    if isinstance(value, list) and shape.items is not None and shape.sort == "list":
        for index, item in enumerate(value):
            yield from prune(shape.items, item, f"{path}[{index}]")
    if not isinstance(value, dict) or shape.sort not in ("object", "map"):
        return
    for name in sorted(value):
        child, here = shape.child(name), f"{path}.{name}" if path else name
        if child is not None:
            yield from prune(child, value[name], here)
        elif not shape.open:
            del value[name]
            yield here


def mistakes(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """What Go's JSON decoder says about values of the wrong type; `path` begins with the kind."""
    if value is None or shape.sort == "any":
        return
    if not isinstance(value, _FITS[shape.sort]) or (
        isinstance(value, bool) and shape.sort != "bool"
    ):
        yield (
            f"json: cannot unmarshal {type_name(value)} into Go struct field {path} "
            f"of type {shape.go}"
        )
    elif shape.sort == "quantity" and not _QUANTITY.match(str(value)):
        yield (
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    elif isinstance(value, dict):
        for name in sorted(value):
            child = shape.child(name)
            if child is not None:
                # Go's decoder names the struct, not the key, for the values of a map.
                yield from mistakes(
                    child, value[name], path if shape.sort == "map" else f"{path}.{name}"
                )
    elif isinstance(value, list) and shape.items is not None:
        for index, item in enumerate(value):
            yield from mistakes(shape.items, item, f"{path}.{index}")


def check_schema(kind: Kind, obj: Obj) -> None:
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
    return isinstance(value, _FITS[shape.sort])


def _constraints(schema: Any, value: Any, path: str) -> Iterator[Cause]:
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(f'"{item}"' for item in schema["enum"])
        message = f'Unsupported value: "{value}": supported values: {allowed}'
        yield Cause("FieldValueNotSupported", message, path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            message = f"{path} in body should be greater than or equal to {schema['minimum']}"
            yield Cause("FieldValueInvalid", f"Invalid value: {value}: {message}", path)
        if value > schema.get("maximum", value):
            message = f"{path} in body should be less than or equal to {schema['maximum']}"
            yield Cause("FieldValueInvalid", f"Invalid value: {value}: {message}", path)
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        message = f"{path} in body should match '{schema['pattern']}'"
        yield Cause("FieldValueInvalid", f'Invalid value: "{value}": {message}', path)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
