"""Recorded transitions of objects: the same changes are made, and watched.

For each object the states of each condition (and phases, scales, shares of traffic) must come in
the recorded order.  A stream that begins with a new service has it applied; one that begins with
a further generation has the change applied to it that is recorded in a second manifest.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from harness.timing.clock import SystemClock
from harness.timing.wait import WaitTimeout, until
from tests.embedded.conformance import sequences, services
from tests.embedded.conformance.following import PLACES, following
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.sequences import State
from tests.embedded.conformance.services import Manifest, place
from tests.embedded.conformance.statuses import RACE

_REAL_SECONDS = 100.0  # that a replay may take; a longer recording has a faster clock
_SPARE = 15.0  # real seconds for a machine that is slower than the recorded one
_CRASH = re.compile(r"ExitCode|RevisionFailed|ProgressDeadlineExceeded")
_DATES = 1e8  # seconds since 1970, which no recording lasts


@dataclass(frozen=True, slots=True)
class Change:
    """What was applied while objects were watched, and before that."""

    before: tuple[Manifest, ...]
    applied: tuple[Manifest, ...]
    unknown: frozenset[str]  # services whose manifests are not recorded


def areas(root: Path) -> Iterator[Area]:
    """Streams of events (`*.jsonl`) and timelines that show conditions of services."""
    for path in sorted([*root.rglob("*.jsonl"), *root.rglob("*timeline*.txt")]):
        states = recorded(path)
        change = _change(root, path.parent, states)
        if change and change.applied and not steps(path):
            name = str(path.relative_to(root).with_suffix(""))
            last = max(state.at for state in states)
            scale = max(1.0, last / _REAL_SECONDS)
            made = (*change.before, *change.applied)
            uses = (path, *(file for file, m in services.files(path.parent) if m in made))
            yield Area(f"{name} (order)", _replayer(states, change), uses, scale, last / scale)


def recorded(path: Path) -> list[State]:
    """The states of objects of known kinds in a file; dates become seconds since the first."""
    read = sequences.events if path.suffix == ".jsonl" else sequences.timeline
    states = [state for state in read(_lines(path)) if state.kind in PLACES]
    begin = states[0].at if states and states[0].at > _DATES else 0.0
    return [replace(state, at=state.at - begin) for state in states]


def steps(path: Path) -> list[tuple[float, str]]:
    """When the steps of a timeline began, and what they are called."""
    return sequences.begun(_lines(path))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _change(root: Path, folder: Path, states: Sequence[State]) -> Change | None:
    """What was changed; None when the stream does not show conditions of services."""
    found = [s for s in states if s.kind == "Service" and any("condition" in f for f in s.facets)]
    first = {state.name: state for state in reversed(found)}
    new = {s.name for s in states if s.kind == "Service" and s.verb == "ADDED"}
    if not found or any(state.at < 0 for state in states):
        return None  # another form has those that begin before the zero of their clock
    before, applied, unknown = [], [], set()
    for name, state in first.items():
        versions = services.versions(root, folder, name)
        added = name in new or (not state.verb and state.generation < 2)
        if len(versions) < (1 if added else 2):
            unknown.add(name)
        elif added:
            applied.append(versions[0])
        else:
            before.append(versions[0])
            applied.append(versions[1])
    return Change(tuple(before), tuple(applied), frozenset(unknown))


def _replayer(states: Sequence[State], change: Change) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        for manifest in change.before:
            services.apply(what, manifest)
        namespace = place(change.applied[0])[0]
        if namespace != "default":
            what.cluster.kubectl("create", "namespace", namespace)
        kinds = sorted({state.kind for state in states})
        names = {place(manifest)[1] for manifest in change.applied}
        with following(what.cluster, namespace, kinds) as seen:
            manifests = yaml.safe_dump_all([dict(manifest) for manifest in change.applied])
            what.cluster.kubectl("apply", "-f", "-", stdin=manifests)
            _settle(what, states, seen, names)
        yield from compared(states, list(seen), change.unknown)

    return replay


def _settle(what: Replay, states: Sequence[State], seen: list[State], names: set[str]) -> None:
    """Wait until nothing is different any more, or the time of the recording is over."""
    end = time.monotonic() + max(state.at for state in states) / what.scale + _SPARE
    own = [state for state in states if _owner(state.name, names)]

    def same() -> bool:
        return not any(found for _, found in sequences.compare(own, list(seen)))

    try:
        left = end - time.monotonic()
        until(same, bool, what="the states", timeout=left, clock=SystemClock(), interval=0.5)
    except WaitTimeout:
        return  # the comparison says what is missing


def _owner(name: str, services_: Iterable[str]) -> str:
    """The service that an object belongs to, by its name; empty when there is none."""
    found = [s for s in services_ if name == s or name.startswith(f"{s}-")]
    return max(found, key=len, default="")


def compared(
    states: Sequence[State], seen: Sequence[State], unknown: Iterable[str]
) -> Iterator[Case]:
    """A case for each object; crashes that show otherwise this time are left out."""
    every = {s.name for s in (*states, *seen) if s.kind == "Service"} | set(unknown)
    crashed = {_owner(s.name, every) for s in (*states, *seen) if _shows_crash(s)}
    for name, found in sequences.compare(states, seen):
        owner = _owner(name.partition("/")[2], every)
        if owner in unknown:
            yield Case(name, skipped="its manifest is not recorded")
        elif found and owner in crashed and all(map(_CRASH.search, found)):
            yield Case(name, skipped=RACE)
        else:
            yield Case(name, tuple(found))


def _shows_crash(state: State) -> bool:
    return any("ExitCode" in shown for shown in state.facets.values())
