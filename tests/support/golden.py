"""A golden evidence set: two runs of hello in a repository, with generated copies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness.evidence import EvidenceStore
from harness.evidence.verify import VerifyOptions
from tests.support.stories import START, TOOL, SteppedClock, Story, write_run

COPIES = {("hello", "ready"): "phase2/hello_ready", ("default/hello", "sli"): "metrics-echo/sli"}
NOW = START + timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Golden:
    """Where the set lies, and its two runs: the incident, and the day after the mend."""

    reports: Path
    broken: Story
    mended: Story

    @property
    def run(self) -> Path:
        """The folder of the later run, which the copies show."""
        return self.reports / "runs" / self.mended.run_id

    @property
    def first(self) -> Path:
        """The folder of the earlier run."""
        return self.reports / "runs" / self.broken.run_id

    def options(self, now: datetime = NOW) -> VerifyOptions:
        """Verification some hours later."""
        return VerifyOptions(now=now)

    def at(self, root: Path) -> Golden:
        """The same set, copied to another place."""
        return replace(self, reports=root / "reports")


def make_golden(root: Path) -> Golden:
    """Write the set into a new repository at `root`."""
    tool = replace(TOOL, git_commit=_commit(root, START - timedelta(days=1)), git_dirty=False)
    broken = Story(devbox=0, tool=tool)
    mended = Story(at=START + timedelta(hours=1), tool=tool, suffix="d4e5f6")
    clock = SteppedClock()
    store = EvidenceStore(root / "reports", clock)
    for story in (broken, mended):
        clock.at = story.at + timedelta(seconds=20)
        write_run(store, story, COPIES)
    return Golden(root / "reports", broken, mended)


def _commit(root: Path, at: datetime) -> str:
    """An empty commit in a new repository; returns its id."""
    root.mkdir(parents=True, exist_ok=True)
    when = {"GIT_COMMITTER_DATE": at.isoformat(), "GIT_AUTHOR_DATE": at.isoformat()}
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(root), **when}
    person = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for command in (
        ("init", "-q"),
        (*person, "commit", "-q", "--allow-empty", "-m", "Begin"),
    ):
        subprocess.run(["git", *command], cwd=root, check=True, env=environment)
    answer = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, check=True, env=environment, capture_output=True
    )
    return answer.stdout.decode().strip()


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value in a JSON document that is neither object nor list."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    else:
        yield path


def at_path(value: Any, path: tuple[str | int, ...]) -> Any:
    """The value at a path."""
    for part in path:
        value = value[part]
    return value


def with_value(document: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A deep copy of a JSON document with another value at a path."""
    copied = json.loads(json.dumps(document))
    at_path(copied, path[:-1])[path[-1]] = new
    return copied


def other(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case None:
            return 7
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value * 2 + 0.25
        case _:
            return f"{value}x"
