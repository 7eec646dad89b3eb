"""Field validation: unknown and duplicate fields, and wrong types."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.embedded.api import shapes, versions
from infra.embedded.api.body import type_name
from infra.embedded.api.context import Call
from infra.embedded.api.nulls import settle
from infra.embedded.api.schema import FITS
from infra.embedded.api.shapes import Shape
from infra.embedded.errors import BadRequest
from infra.embedded.kinds import Kind
from infra.embedded.store import Obj

_QUANTITY = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")

_INT64 = 2**63


def check(call: Call, obj: Obj, duplicates: Sequence[str]) -> None:
    """Drop unknown fields, and refuse or warn about them as `fieldValidation` asks."""
    kind = call.target.kind
    shape = shapes.of_kind(kind)
    problems = [f'duplicate field "{name}"' for name in duplicates]
    meta = obj.get("metadata")
    if mistake := next(mistakes(shapes.metadata(), meta, f"{kind.kind}.metadata"), None):
        raise BadRequest(_unhandled(kind, mistake))
    settle(shapes.metadata(), meta)
    if shape is not None:
        problems += [f'unknown field "{path}"' for path in prune(shape, obj)]
        if not kind.custom and (mistake := next(mistakes(shape, obj, kind.kind), None)):
            raise BadRequest(_unhandled(kind, mistake))
        if not kind.custom:
            settle(shape, obj)
    if not problems or call.options.validation == "Ignore":
        return
    if call.options.validation == "Warn":
        call.warnings += problems
        return
    raise BadRequest(_unhandled(kind, f"strict decoding error: {', '.join(problems)}"))


def converted(kind: Kind, obj: Obj) -> Obj:
    """A checked object in the version that is stored, whose fields are checked in turn."""
    target = versions.storage_kind(kind)
    if target is kind:
        return versions.kept(kind, obj)
    obj, shape = versions.kept(kind, obj), shapes.of_kind(target)
    if shape is not None:
        if mistake := next(mistakes(shape, obj, kind.kind), None):
            raise BadRequest(_unhandled(kind, mistake))
        settle(shape, obj)
    return obj


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
    if not isinstance(value, FITS[shape.sort]) or (
        isinstance(value, bool) and shape.sort != "bool"
    ):
        yield (
            f"json: cannot unmarshal {type_name(value)} into Go struct field {path} "
            f"of type {shape.go}"
        )
    elif isinstance(value, int) and not -_INT64 <= value < _INT64:
        yield f"json: cannot unmarshal number {value} into Go struct field {path} of type int64"
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
