"""JSON and hashes: what is hashed, and what is refused before it is looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024


class NotJson(ValueError):
    """Bytes that are not one plain JSON object."""


def canonical(value: object) -> bytes:
    """The one spelling of a JSON value that is hashed: sorted keys, no blanks, UTF-8.

    Errors:
        ValueError: the value holds NaN or an infinity.
    """
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def json_lines(value: Mapping[str, Json]) -> bytes:
    """An object as JSON text: one line for each key, and for each item of a list of objects.

    Errors:
        ValueError: the value holds NaN or an infinity.
    """
    fields = ",\n".join(f" {_ENCODE(key)}: {_lines(part)}" for key, part in value.items())
    return f"{{\n{fields}\n}}\n".encode()


def _lines(part: Json) -> str:
    if isinstance(part, list) and any(isinstance(item, dict) for item in part):
        items = ",\n".join(f"  {_ENCODE(item)}" for item in part)
        return f"[\n{items}\n ]"
    return _ENCODE(part)


_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def sha256(content: bytes) -> str:
    """The SHA-256 of `content`, lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def parse_object(content: bytes) -> dict[str, Json]:
    """The JSON object in `content`.

    Errors:
        NotJson: too large, not UTF-8, not JSON, a key twice, NaN, too deep, or no object.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise NotJson(f"{len(content)} bytes; at most {MAX_DOCUMENT_BYTES} are read")
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except ValueError as error:
        raise NotJson(str(error)) from error
    if not isinstance(value, dict):
        raise NotJson(f"a JSON object is wanted, found {type(value).__name__}")
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"the key {twice!r} appears twice")
    return found


def _no_constant(name: str) -> Json:
    raise NotJson(f"{name} is not JSON")
