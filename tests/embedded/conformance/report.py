"""What is printed of a replay: agreement by area, each difference, and what was not used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from tests.embedded.conformance.outcome import Case
from tests.embedded.conformance.running import Result

_PROSE = {".md", ".rst", ".html"}
_YAML = {".yaml", ".yml"}


def area(result: Result) -> Iterator[str]:
    """The lines about one area."""
    replayed = [case for case in result.cases if not case.skipped]
    agreeing = sum(not case.differences for case in replayed)
    left = len(result.cases) - len(replayed)
    note = f", {left} not replayed" if left else ""
    yield (
        f"{result.area.name}: {agreeing} of {len(replayed)} agree{note}"
        f" ({result.took:.0f} s at time scale {result.scale:g})"
    )
    for case in replayed:
        if case.differences:
            yield f"  {case.name}"
        yield from (f"      {line}" for line in case.differences)
    reasons = Counter(case.skipped for case in result.cases if case.skipped)
    yield from (f"  not replayed: {count} ({reason})" for reason, count in reasons.items())


def total(results: Sequence[Result]) -> tuple[int, int]:
    """How many cases agree, of how many that were replayed."""
    replayed = [case for result in results for case in result.cases if not case.skipped]
    return sum(not case.differences for case in replayed), len(replayed)


def unused(root: Path, used: Iterable[Path]) -> Iterator[str]:
    """A line for each file that no area reads, with the reason."""
    known = set(used)
    for path in sorted(root.rglob("*")):
        if path.is_file() and path not in known:
            yield f"not used: {path.relative_to(root)} ({_reason(path)})"


def _reason(path: Path) -> str:
    if path.suffix in _PROSE:
        return "prose"
    try:
        content = path.read_text()
    except UnicodeDecodeError:
        return "is not text"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not content.strip():
        return "is empty"
    return _malformed(path.suffix, content) or "nothing in it is replayed by itself"


def _malformed(suffix: str, content: str) -> str:
    """Why a file is not what its name says; empty when it is."""
    try:
        if suffix == ".json":
            json.loads(content)
        elif suffix == ".jsonl":
            for line in content.splitlines():
                json.loads(line)
        elif suffix in _YAML:
            list(yaml.safe_load_all(content))
    except RecursionError:
        return "is nested too deeply"
    except ValueError as error:
        return f"malformed: {error}"
    except yaml.YAMLError as error:
        return f"malformed: {' '.join(str(error).split())[:120]}"
    return ""


def plain(results: Sequence[Result]) -> dict[str, list[dict[str, object]]]:
    """The results as JSON."""
    return {result.area.name: [_case(case) for case in result.cases] for result in results}


def _case(case: Case) -> dict[str, object]:
    differences = list(case.differences)
    return {"name": case.name, "differences": differences, "skipped": case.skipped}
