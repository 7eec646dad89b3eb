"""Recorded commands: what was run, when, and what it did."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.embedded.conformance.outcome import Case
from tests.embedded.conformance.reading import document, manifest_file, manifests, number, text

_LONGEST_PAUSE = 45.0  # recorded seconds


@dataclass(frozen=True, slots=True)
class Recorded:
    """One command and what it did on the real cluster."""

    name: str
    command: str
    stdin: str
    code: int
    out: str
    err: str
    at: float  # seconds, when it ended
    took: float

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Recorded:
        return cls(
            str(entry["name"]),
            entry["cmd"],
            text(entry.get("stdin")),
            entry["rc"],
            text(entry.get("stdout")),
            text(entry.get("stderr")),
            _moment(text(entry.get("at"))),
            number(entry.get("ms")) / 1000,
        )


def _moment(at: str) -> float:
    """Seconds of a recorded time; 0 when there is none."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0


def entries(path: Path) -> list[Recorded]:
    """The recorded commands in a file; nothing for a file of another form."""
    content = document(path)
    found = content if isinstance(content, list) else []
    return [Recorded.parse(entry) for entry in found if isinstance(entry, dict) and _whole(entry)]


def _whole(entry: Mapping[str, Any]) -> bool:
    """Whether a command is recorded with what it did."""
    return (
        isinstance(entry.get("cmd"), str)
        and isinstance(entry.get("rc"), int)
        and isinstance(entry.get("stdout", ""), str | None)
        and "name" in entry
    )


def torn(path: Path) -> Iterator[Case]:
    """Commands of a file whose outcome is not recorded, or in another form."""
    for index, entry in enumerate(document(path) or ()):
        if not (isinstance(entry, dict) and _whole(entry)):
            yield Case(f"entry {index}", skipped="malformed: no cmd, rc or name")


def seconds(entries: Sequence[Recorded]) -> float:
    """About how long the commands take, with the pauses between them."""
    return sum(entry.took for entry in entries) + sum(gaps(entries))


def gaps(entries: Sequence[Recorded]) -> Iterator[float]:
    """The pause before each command, in recorded seconds."""
    end = 0.0
    for entry in entries:
        gap = entry.at - entry.took - end if end else 0.0
        yield min(max(gap, 0.0), _LONGEST_PAUSE)
        end = entry.at


def applied(root: Path, entry: Recorded) -> list[dict[str, Any]]:
    """The objects that a command reads, from a file of the recordings or from stdin."""
    path = re.search(r"-f (\S+\.yaml)", entry.command)
    source = root / path[1] if path else None
    if source is None or not source.is_file() or not source.resolve().is_relative_to(root):
        return manifests(entry.stdin)
    return manifest_file(source)
