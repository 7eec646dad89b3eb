"""Units in what a person writes: durations, rates and ratios, as strings with their unit.

duration   `250ms`, `5s`, `2m`, `1h`    seconds
rate       `10/s`, `30/m`, `0.1/s`      events per second
ratio      `99%`, `99.9%`, `0.999`      a number from 0 to 1
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST_WAIT = 7 * 24 * 3600.0
"""Seconds. What is longer is a slip of the pen, and overflows timeouts of the operating system."""

_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
_DURATION = re.compile(rf"{_NUMBER}\s*(ms|s|m|h)", re.ASCII)
_RATE = re.compile(rf"{_NUMBER}\s*/\s*(s|m|h)", re.ASCII)
_RATIO = re.compile(rf"{_NUMBER}(\s*%)?", re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds of a duration such as `250ms`. Raises ValueError for anything else."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a duration; write a number and ms, s, m or h, such as 5s")
    return float(match[1]) * _SECONDS[match[2]]


def parse_rate(value: object) -> float:
    """Events per second of a rate such as `10/s`. Raises ValueError for anything else."""
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError("is not a rate; write a number per second or minute, such as 10/s")
    return float(match[1]) / _SECONDS[match[2]]


def parse_ratio(value: object) -> float:
    """A ratio from 0 to 1, of `99%` or `0.99`. Raises ValueError for anything else."""
    text = value if isinstance(value, str) else repr(value) if _is_number(value) else ""
    match = _RATIO.fullmatch(text.strip())
    ratio = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= ratio <= 1:
        raise ValueError("is not a ratio; write a percentage such as 99%, or 0.99")
    return ratio


def format_duration(seconds: float) -> str:
    """A duration as a person writes it: `250ms`, `5s`."""
    return f"{seconds * 1000:.4g}ms" if seconds < 1 else f"{seconds:.4g}s"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h)\s*$"}),
]


def _bounded(seconds: float) -> float:
    if seconds > LONGEST_WAIT:
        raise ValueError("is longer than a week (168h)")
    return seconds


def _positive(seconds: float) -> float:
    if seconds == 0:
        raise ValueError("must be more than nothing")
    return seconds


Wait = Annotated[Duration, AfterValidator(_bounded)]
"""How long to wait at most, where 0s looks just once."""
Span = Annotated[Wait, AfterValidator(_positive)]
"""How long something takes or may take."""
Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*/\s*(s|m|h)\s*$"}),
]
Ratio = Annotated[
    float,
    BeforeValidator(parse_ratio),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%?\s*$"},
                {"type": "number", "minimum": 0, "maximum": 1},
            ]
        }
    ),
]
