"""JSON read strictly: bounded, no key twice, no NaN, no infinity, no lone surrogates."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TypeAlias

from harness.contracts.refusal import ContractRefused, Reason, refuse

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16


def parse_object(data: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Json]:
    """The JSON object in `data`.

    Errors:
        ContractRefused: `too_large`, or `not_json` with what is wrong and where.
    """
    if len(data) > max_bytes:
        raise refuse(Reason.TOO_LARGE, f"{len(data)} bytes; at most {max_bytes} are read")
    try:
        text = data.decode("utf-8")
        value: Json = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if "\\u" in text:
            text_of(value)  # an escape is the only way to a lone surrogate
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise refuse(Reason.NOT_JSON, str(error)) from error
    if not isinstance(value, dict):
        raise refuse(Reason.NOT_JSON, f"one JSON object is wanted, found {type(value).__name__}")
    _check_depth(value)
    return value


def text_of(value: object) -> bytes:
    """The canonical bytes of a JSON value: sorted keys, no blanks, UTF-8.

    Errors:
        ValueError: NaN, an infinity or a lone surrogate.
    """
    compact = json.dumps(
        value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return compact.encode("utf-8")


def pretty(value: Mapping[str, object]) -> bytes:
    """The bytes of a JSON object as a person reads it; the order of the keys is kept."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:80]!r} appears twice")
        found[key] = value
    return found


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is out of range")
    return value


def _too_deep() -> ContractRefused:
    return refuse(Reason.NOT_JSON, f"nested deeper than {MAX_DEPTH} levels")


def _check_depth(root: Json) -> None:
    level: list[Json] = [root]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise _too_deep()


def _children(node: Json) -> list[Json]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
