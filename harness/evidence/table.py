"""Small pieces of Markdown: text that came from outside, tables, fences, figures with units."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

_SPECIAL = re.compile(r"([\\|<>\[\]*`])")
_RUNS_OF_TICKS = re.compile(r"`+")


def prose(text: str) -> str:
    """Text from outside as one line of Markdown that cannot become markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Text from outside as a code span; an empty text is a dash."""
    line = " ".join(text.split()).replace("|", "\\|")
    if not line:
        return "–"
    if "`" not in line:
        return f"`{line}`"
    ticks = "`" * (1 + max(len(run) for run in _RUNS_OF_TICKS.findall(line)))
    gap = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{gap}{line}{gap}{ticks}"


def fence(text: str, language: str = "text") -> str:
    """Text from outside as a block that its own backticks cannot end."""
    longest = max((len(run) for run in _RUNS_OF_TICKS.findall(text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown already. Empty without rows."""
    lines = [_line(row) for row in rows]
    if not lines:
        return ""
    rule = "|" + "|".join("---" for _ in header) + "|"
    return "\n".join([_line(header), rule, *lines])


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of named values; those without a value are left out."""
    return "\n".join(f"- {name}: {value}" for name, value in rows if value and value != "–")


def section(title: str, *bodies: str, level: int = 2) -> str:
    """A heading with what stands below it; empty when nothing does."""
    full = [body for body in bodies if body]
    return "\n\n".join([f"{'#' * level} {title}", *full]) if full else ""


def front_matter(values: Mapping[str, str | int]) -> str:
    """A YAML block; strings are quoted as JSON, which is YAML too."""
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(["---", *lines, "---"])


def percent(ratio: float | None) -> str:
    """A ratio as a percentage; `no data` is for the caller to say."""
    return "" if ratio is None else f"{ratio * 100:.4g} %"


def milliseconds(seconds: float | None) -> str:
    """Seconds as milliseconds with four digits, without the unit (it stands in the header)."""
    return "" if seconds is None else f"{seconds * 1000:.4g}"


def seconds_text(seconds: float | None) -> str:
    """Seconds with their unit."""
    return "" if seconds is None else f"{seconds:.6g} s"


def counts(values: Mapping[str, int]) -> str:
    """Counted things, the most frequent first."""
    ordered = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{code(name)} {count}" for name, count in ordered) or "–"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell or "–" for cell in cells) + " |"
