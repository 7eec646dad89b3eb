"""The protobuf bodies that typed Go clients send for ConfigMap, Secret and DeleteOptions.

Only what these three need is decoded, by a table of field numbers; another kind gets a 415.  The
envelope is Kubernetes' own: the magic `k8s\\0` and a message `Unknown`.
"""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.embedded.errors import BadRequest, UnsupportedMediaType

_MAGIC = b"k8s\x00"
Obj = dict[str, Any]
Decoder = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """How one numbered field becomes a member of the JSON object."""

    name: str
    decode: Decoder
    repeated: bool = False
    mapping: bool = False


def decode(raw: bytes) -> Obj:
    """The object in an envelope; raises BadRequest or UnsupportedMediaType."""
    if not raw.startswith(_MAGIC):
        raise BadRequest("the body does not begin with the protobuf prefix k8s\\x00")
    try:
        envelope = _message(_UNKNOWN)(raw[len(_MAGIC) :])
        meta = envelope.get("typeMeta", {})
        schema = _KINDS.get(meta.get("kind", ""))
        if schema is None:
            raise UnsupportedMediaType(
                f"protobuf is decoded for {', '.join(sorted(_KINDS))} only, not for "
                f"{meta.get('kind')!r}: send JSON"
            )
        body: Obj = _message(schema)(envelope.get("raw", b""))
    except (ValueError, IndexError) as error:
        raise BadRequest(f"malformed protobuf: {error}") from error
    return {**meta, **body}


def _message(schema: dict[int, Field]) -> Decoder:
    def read(data: bytes) -> Obj:
        obj: Obj = {}
        for number, value in _fields(data):
            field = schema.get(number)
            if field is None:
                continue
            decoded = field.decode(value)
            if field.mapping:
                obj.setdefault(field.name, {})[decoded.get("key", "")] = decoded.get("value", "")
            elif field.repeated:
                obj.setdefault(field.name, []).append(decoded)
            else:
                obj[field.name] = decoded
        return obj

    return read


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


def _text(value: Any) -> str:
    if not isinstance(value, bytes):
        raise ValueError("a number where text was expected")
    return value.decode()


def _bytes(value: Any) -> str:
    return base64.b64encode(value).decode()


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a number was expected")
    return value - (1 << 64) if value >= 1 << 63 else value


def _flag(value: Any) -> bool:
    return bool(value)


def _map(name: str, value: Decoder = _text) -> Field:
    entry = {1: Field("key", _text), 2: Field("value", value)}
    return Field(name, _message(entry), mapping=True)


_UNKNOWN = {
    1: Field("typeMeta", _message({1: Field("apiVersion", _text), 2: Field("kind", _text)})),
    2: Field("raw", lambda value: value),
}
_OWNER = {
    1: Field("kind", _text),
    3: Field("name", _text),
    4: Field("uid", _text),
    5: Field("apiVersion", _text),
    6: Field("controller", _flag),
    7: Field("blockOwnerDeletion", _flag),
}
_METADATA = {
    1: Field("name", _text),
    2: Field("generateName", _text),
    3: Field("namespace", _text),
    5: Field("uid", _text),
    6: Field("resourceVersion", _text),
    11: _map("labels"),
    12: _map("annotations"),
    13: Field("ownerReferences", _message(_OWNER), repeated=True),
    14: Field("finalizers", _text, repeated=True),
}
_KINDS = {
    "ConfigMap": {
        1: Field("metadata", _message(_METADATA)),
        2: _map("data"),
        3: _map("binaryData", _bytes),
        4: Field("immutable", _flag),
    },
    "Secret": {
        1: Field("metadata", _message(_METADATA)),
        2: _map("data", _bytes),
        3: Field("type", _text),
        4: _map("stringData"),
        5: Field("immutable", _flag),
    },
    "DeleteOptions": {
        1: Field("gracePeriodSeconds", _number),
        2: Field(
            "preconditions",
            _message({1: Field("uid", _text), 2: Field("resourceVersion", _text)}),
        ),
        3: Field("orphanDependents", _flag),
        4: Field("propagationPolicy", _text),
        5: Field("dryRun", _text, repeated=True),
    },
}
