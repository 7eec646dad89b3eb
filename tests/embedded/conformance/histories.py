"""Histories: values and the seconds since which they held, recorded or watched.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LINE = re.compile(r"^ *(-?\d+\.\d+) (?:(ADDED|MODIFIED|DELETED) +)?([A-Z]\w+)/(\S+) (.*)$")


@dataclass(frozen=True, slots=True)
class Step:
    """A value and when it began, in seconds of the cluster."""

    at: float
    value: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a recorded timeline: what is known of an object then."""

    at: float
    verb: str
    kind: str
    name: str
    text: str
    fields: Mapping[str, Any]  # the JSON at the end of the line


def changes(lines: Iterable[str]) -> Iterator[Change]:
    """The changes in a timeline; other lines (comments, events) are left out."""
    for line in lines:
        found = _LINE.match(line)
        if found:
            text, fields = _fields(found[5])
            yield Change(float(found[1]), found[2] or "", found[3], found[4], text, fields)


def _fields(rest: str) -> tuple[str, Mapping[str, Any]]:
    text, brace, document = rest.rpartition(" {")
    if rest.startswith("{"):
        text, brace, document = "", "{", rest[1:]
    try:
        fields = json.loads("{" + document) if brace else {}
    except ValueError:
        return rest, {}
    return text.strip(), fields


def steps(values: Iterable[tuple[float, object]]) -> tuple[Step, ...]:
    """A history without repetitions; None is no value."""
    found: list[Step] = []
    for at, value in values:
        if value is not None and (not found or found[-1].value != str(value)):
            found.append(Step(at, str(value)))
    return tuple(found)


def since(history: Sequence[Step], begin: float) -> tuple[Step, ...]:
    """A history from some time on; what held then comes first."""
    before = [step for step in history if step.at <= begin]
    held = [Step(begin, before[-1].value)] if before else []
    return (*held, *(step for step in history if step.at > begin))


def at(history: Sequence[Step], moment: float, default: str = "") -> str:
    """What held at a moment."""
    return next((step.value for step in reversed(history) if step.at <= moment), default)


def values(history: Sequence[Step]) -> list[str]:
    """The values in their order."""
    return [step.value for step in history]


def shown(history: Sequence[Step]) -> str:
    """A history in one line."""
    return " ".join(f"{step.value}@{step.at:.1f}s" for step in history) or "nothing"


def order(what: str, wanted: Sequence[Step], got: Sequence[Step]) -> Iterator[str]:
    """A line when the values did not come in the recorded order."""
    if values(wanted) != values(got):
        yield f"{what}: {shown(wanted)} -> {shown(got)}"


def times(
    what: str, wanted: Sequence[Step], got: Sequence[Step], tolerance: Mapping[int, float]
) -> Iterator[str]:
    """A line for each step that came too early or too late; `tolerance` in seconds by index."""
    for index, (before, after) in enumerate(zip(wanted, got, strict=False)):
        allowed = tolerance.get(index)
        if allowed is not None and abs(after.at - before.at) > allowed:
            yield (
                f"{what} {before.value} at {before.at:.1f} s -> {after.at:.1f} s"
                f" (tolerance {allowed:.1f} s)"
            )
