"""Request bodies: JSON, YAML and protobuf into objects, within limits."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import yaml
from starlette.requests import Request

from infra.embedded.api import protobuf
from infra.embedded.errors import BadRequest, TooLarge, UnsupportedMediaType

Obj = dict[str, Any]

LIMIT = 3 * 1024 * 1024  # bytes, as in the API server
_DEPTH = 200  # nested levels: deeper ones cannot be a Kubernetes object
PROTOBUF = "application/vnd.kubernetes.protobuf"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body and the fields that occurred twice in it."""

    value: Any
    duplicates: tuple[str, ...] = ()


async def read(request: Request) -> bytes:
    """The whole body; raises TooLarge beyond LIMIT without reading on."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > LIMIT:
        raise _too_large()
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LIMIT:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def decode(raw: bytes, media: str, what: str = "") -> Decoded:
    """Decode by media type (none means JSON); raises BadRequest or UnsupportedMediaType.

    `what` names the body in the message for JSON that cannot be read.
    """
    if media == PROTOBUF:
        return Decoded(protobuf.decode(raw))
    if media in ("", "application/json") or media.endswith("+json"):
        return _json(raw, f"error decoding {what}" if what else "json parse error")
    if media in ("application/yaml", "application/x-yaml", "application/apply-patch+yaml"):
        return _yaml(raw)
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: "
        f"application/json, application/yaml, {PROTOBUF}"
    )


def decode_object(raw: bytes, media: str) -> tuple[Obj, tuple[str, ...]]:
    """As `decode`, for a body that must be an object."""
    decoded = decode(raw, media)
    if not isinstance(decoded.value, dict):
        raise BadRequest(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{type_name(decoded.value)} into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string '
            '"json:\\"kind,omitempty\\"" }'
        )
    return decoded.value, decoded.duplicates


def type_name(value: Any) -> str:
    """What Go's JSON decoder calls the type of a value."""
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object" if isinstance(value, dict) else "null")


def _json(raw: bytes, complaint: str) -> Decoded:
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> Obj:
        obj = dict(items)
        if len(obj) != len(items):
            counts = Counter(key for key, _ in items)
            duplicates.extend(key for key, count in counts.items() if count > 1)
        return obj

    try:
        value = json.loads(raw, object_pairs_hook=pairs, parse_constant=_no_constant)
    except RecursionError:
        raise BadRequest("the object is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"{complaint}: {_in_go(raw, error)}") from error
    return Decoded(_shallow(value), tuple(duplicates))


def _in_go(raw: bytes, error: ValueError) -> str:
    """A JSON error in the words of Go's decoder, for the most common ones."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    text = raw.decode(errors="replace")
    if error.pos >= len(text.rstrip()):
        return "unexpected end of JSON input"
    place = "object key string" if "property name" in error.msg else "value"
    return f"invalid character {text[error.pos]!r} looking for beginning of {place}"


def _yaml(raw: bytes) -> Decoded:
    try:
        # Through JSON, so that dates and other YAML types become what JSON has.
        value = json.loads(json.dumps(yaml.load(raw, Loader=_Loader)))
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise BadRequest(f"error converting YAML to JSON: {error}") from error
    return Decoded(_shallow(value))


class _Loader(yaml.SafeLoader):
    """Safe YAML in which timestamps stay text and aliases, which can explode, are refused."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _shallow(value: Any) -> Any:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEPTH:
            raise BadRequest("the object is nested too deeply")
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")


def _too_large() -> TooLarge:
    return TooLarge(f"Request entity too large: limit is {LIMIT}", details={})
