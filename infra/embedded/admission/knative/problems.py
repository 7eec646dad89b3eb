"""Field errors as Knative's webhook reports them.  Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with which fields.  A warning does not refuse the object."""

    message: str
    paths: tuple[str, ...]
    details: str = ""
    warning: bool = False


def missing(*paths: str) -> Problem:
    return Problem("missing field(s)", paths)


def disallowed(*paths: str) -> Problem:
    return Problem("must not set the field(s)", paths)


def invalid(value: Any, path: str, details: str = "") -> Problem:
    return Problem(f"invalid value: {value}", (path,), details)


def out_of_bounds(value: Any, low: Any, high: Any, path: str) -> Problem:
    return Problem(f"expected {low} <= {value} <= {high}", (path,))


def several(*paths: str) -> Problem:
    return Problem("expected exactly one, got both", paths)


def neither(*paths: str) -> Problem:
    return Problem("expected exactly one, got neither", paths)


def report(problems: Iterable[Problem]) -> str:
    """All problems as text: those with the same message become one, sorted by message."""
    merged: dict[tuple[str, str], set[str]] = {}
    for problem in problems:
        merged.setdefault((problem.message, problem.details), set()).update(problem.paths)
    lines = []
    for (message, details), paths in sorted(merged.items()):
        line = f"{message}: {', '.join(sorted(paths))}"
        lines.append(f"{line}\n{details}" if details else line)
    return "\n".join(lines)
