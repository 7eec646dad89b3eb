"""Canonical JSON and hashes: one value has exactly one spelling.

The spelling is UTF-8, sorted keys, two spaces of indentation, one newline at the end. It is kept
readable because evidence is reviewed as text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024


class NotCanonical(ValueError):
    """Bytes that are not one JSON object, or not one that this product writes."""


def canonical(value: object) -> bytes:
    """The canonical bytes of a JSON value.

    Errors:
        ValueError: the value holds NaN or an infinity.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2)
    return f"{text}\n".encode()


def sha256(content: bytes) -> str:
    """The SHA-256 of `content`, lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def parse_object(content: bytes) -> dict[str, Json]:
    """The JSON object in `content`.

    Errors:
        NotCanonical: too large, not UTF-8, not JSON, a key twice, NaN, too deep, or no object.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise NotCanonical(f"{len(content)} bytes; at most {MAX_DOCUMENT_BYTES} are read")
    try:
        value = json.loads(content, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise NotCanonical("nested too deeply") from None
    except ValueError as error:
        raise NotCanonical(str(error)) from error
    if not isinstance(value, dict):
        raise NotCanonical(f"a JSON object is wanted, found {type(value).__name__}")
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotCanonical(f"the key {twice!r} appears twice")
    return found


def _no_constant(name: str) -> Json:
    raise NotCanonical(f"{name} is not JSON")
