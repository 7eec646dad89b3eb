"""The protobuf bodies that kubectl and typed Go clients send, decoded by the shapes of kinds.

The envelope is Kubernetes' own: the magic `k8s\\0` and a message `Unknown` with type and content.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from infra.embedded.api.shapes import Shape, of_name
from infra.embedded.clock import rfc3339, rfc3339_micro
from infra.embedded.errors import BadRequest, UnsupportedMediaType

_MAGIC = b"k8s\x00"
_DEPTH = 60  # messages within messages
Obj = dict[str, Any]
# Go writes zeroes of plain fields too.  A zero counts only where the field is a pointer.
_OPTIONAL = frozenset(
    ["allowPrivilegeEscalation", "automountServiceAccountToken", "backoffLimit",
     "blockOwnerDeletion", "completions", "controller", "enableServiceLinks",
     "failedJobsHistoryLimit", "fsGroup", "gracePeriodSeconds", "immutable", "maxSurge",
     "maxUnavailable", "minAvailable", "optional", "parallelism", "priority", "privileged",
     "progressDeadlineSeconds", "readOnlyRootFilesystem", "replicas", "revisionHistoryLimit",
     "runAsGroup", "runAsNonRoot", "runAsUser", "successfulJobsHistoryLimit", "suspend",
     "terminationGracePeriodSeconds", "ttlSecondsAfterFinished", "value"]
)  # fmt: skip
Tree = dict[
    int, Any
]  # field number -> (name, Shape), or the Tree of a message that JSON leaves out


def decode(raw: bytes) -> Obj:
    """The object in an envelope; raises BadRequest or UnsupportedMediaType."""
    if not raw.startswith(_MAGIC):
        raise BadRequest("the body does not begin with the protobuf prefix k8s\\x00")
    try:
        envelope = dict(_fields(raw[len(_MAGIC) :]))
        meta = {number: _text(value) for number, value in _fields(envelope.get(1, b""))}
        kind = meta.get(2, "")
        shape = of_name(kind)
        if shape is None or not shape.numbers:
            raise UnsupportedMediaType(f"protobuf is not decoded for {kind!r}: send JSON")
        body = _message(shape, envelope.get(2, b""), 0)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise BadRequest(f"malformed protobuf: {error}") from error
    return {"apiVersion": meta.get(1, ""), "kind": kind, **body}


@cache
def _tree(name: str) -> Tree:
    """The fields of a type by number."""
    shape = of_name(name)
    tree: Tree = {}
    for member, path in (shape.numbers if shape else {}).items():
        node = tree
        for number in path[:-1]:
            node = node.setdefault(number, {})
        node[path[-1]] = (member, shape.fields[member] if shape else None)
    return tree


def _message(shape: Shape, data: bytes, depth: int) -> Obj:
    if depth > _DEPTH:
        raise ValueError("messages are nested too deeply")
    obj: Obj = {}
    _read(_tree(shape.go), data, obj, depth)
    return obj


def _read(tree: Tree, data: bytes, obj: Obj, depth: int) -> None:
    for number, value in _fields(data):
        found = tree.get(number)
        if isinstance(found, dict):
            _read(found, _bytes(value), obj, depth + 1)
        elif found is not None:
            name, shape = found
            _put(obj, name, shape, value, depth)


def _put(obj: Obj, name: str, shape: Shape, value: Any, depth: int) -> None:
    if shape.sort == "map" and shape.items is not None:
        entry = dict(_fields(_bytes(value)))
        item = _value(shape.items, entry.get(2, b""), depth)
        obj.setdefault(name, {})[_text(entry.get(1, b""))] = item
    elif shape.sort == "list" and shape.items is not None:
        obj.setdefault(name, []).append(_value(shape.items, value, depth))
    else:
        decoded = _value(shape, value, depth)
        if decoded or decoded == {} or (decoded == 0 and name in _OPTIONAL):
            obj[name] = decoded


def _value(shape: Shape, value: Any, depth: int) -> Any:
    if shape.sort == "object":
        return _message(shape, _bytes(value), depth + 1)
    return _SCALARS[shape.sort](value)


def _text(value: Any) -> str:
    return _bytes(value).decode()


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number where bytes were expected")
    return value


def _base64(value: Any) -> str:
    return base64.b64encode(_bytes(value)).decode()


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a number was expected")
    return value - (1 << 64) if value >= 1 << 63 else value


def _quantity(value: Any) -> str:
    return _text(dict(_fields(_bytes(value))).get(1, b""))


def _int_or_string(value: Any) -> int | str:
    parts = dict(_fields(_bytes(value)))
    return _text(parts.get(3, b"")) if parts.get(1, 0) == 1 else _number(parts.get(2, 0))


def _time(value: Any) -> str | None:
    parts = dict(_fields(_bytes(value)))
    seconds, nanos = _number(parts.get(1, 0)), _number(parts.get(2, 0))
    if not seconds:
        return None  # the zero time: not set
    moment = datetime.fromtimestamp(seconds, UTC)
    return rfc3339_micro(moment.replace(microsecond=nanos // 1000)) if nanos else rfc3339(moment)


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "any": lambda _: None,
    "bool": bool,
    "bytes": _base64,
    "int": _number,
    "intstr": _int_or_string,
    "number": lambda _: None,
    "quantity": _quantity,
    "string": _text,
    "time": _time,
}


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and raw value (int or bytes) of each field."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if wire == 2:
            size, position = _varint(data, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if position + size > len(data):
            raise ValueError("a field ends beyond the message")
        yield tag >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
