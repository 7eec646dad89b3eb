"""Recorded commands: each is run again, and its exit code and outputs are compared."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tests.embedded.conformance import beginning, circumstances, guard, services, steps
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.outputs import (
    Counters,
    comparable,
    document_differences,
    lines_of,
    overtaken,
)
from tests.embedded.conformance.recorded import Recorded, entries, gaps, seconds, torn
from tests.embedded.conformance.steps import Following
from tests.support.cluster import KUBECTL

_TIMEOUT = 150.0
_LINES = 6  # of a difference that are shown
_ABSENT = re.compile(r"error when creating|\bcreated\b(?! \()")


def areas(root: Path) -> Iterator[Area]:
    """An area for each file of recorded commands."""
    for path in sorted(root.rglob("*.json")):
        found = entries(path)
        if found:
            name = str(path.relative_to(root).with_suffix(""))
            scale = circumstances.scale(path.parent, [entry.command for entry in found])
            scale = beginning.IDLE_SCALE if beginning.idle(found) else scale
            uses = tuple(filter(None, (path, steps.of(path, found).path)))
            lasts = seconds(found) / scale
            yield Area(name, _replayer(found, path), uses, scale, lasts)


def _replayer(found: list[Recorded], path: Path) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        yield from torn(path)
        beginning.clean(what, found)
        presumed = circumstances.of(what, path.parent, [(e.command, e.err) for e in found])
        if presumed.impossible:
            yield from (Case(entry.name, skipped=presumed.impossible) for entry in found)
            return
        if presumed.broken:
            for usual in islice(services.usual_ones(what.root), 1):
                beginning.install(what, usual)
        elif not presumed.made:
            beginning.presume(what, found)
        follow = steps.of(path, found)
        with follow.watch(what) as seen:
            yield from _cases(what, found, presumed, follow)
        yield from follow.cases(list(seen))
        presumed.end()

    return replay


def _cases(
    what: Replay, found: list[Recorded], presumed: circumstances.Circumstances, follow: Following
) -> Iterator[Case]:
    """The commands one after the other, with the recorded pauses and changes between them."""
    counters = Counters()
    for index, (gap, entry) in enumerate(zip(gaps(found), found, strict=True)):
        time.sleep(gap / what.pace)
        for change in follow.changes(index):
            steps.make(what, change)
        presumed.before(entry.err)
        skipped = presumed.skip(entry.command, entry.out + entry.err)
        yield Case(entry.name, skipped=skipped) if skipped else _case(what, entry, counters)


def _case(what: Replay, entry: Recorded, counters: Counters) -> Case:
    try:
        arguments = guard.words(_here(what, entry))
        guard.check(arguments, entry.stdin, what.root)
    except guard.Refused as error:
        return Case(entry.name, skipped=str(error))
    if _ABSENT.search(entry.out + entry.err) and "already exists" not in entry.err:
        beginning.forget(what, entry)
    if "error when patching" in entry.err:
        counters.unknown(beginning.make(what, entry))
    if "port-forward" in entry.command:
        return Case(entry.name, skipped="not served: see COVERAGE")
    try:
        done = subprocess.run(
            [str(KUBECTL), *arguments],
            cwd=what.root,
            env={
                **os.environ,
                "KUBECONFIG": str(what.cluster.kubeconfig),
                "TZ": "UTC",
            },
            input=entry.stdin,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Case(entry.name, (f"did not end within {_TIMEOUT:g} s",))
    found = []
    if done.returncode != entry.code:
        found.append(f"exit code {entry.code} -> {done.returncode}")
    # With a faster clock kubectl finds times in its future: their ages are as good as any.
    out, err = (text.replace("<invalid>", "1s") for text in (done.stdout, done.stderr))
    got = counters.align(entry.command, entry.out, out)
    documents = document_differences(entry.command, entry.out, got)
    if documents is None:
        found += _lines("stdout", entry, entry.out, got, counters)
    else:
        found += [f"stdout: {line}" for line in documents[:_LINES]]
    if got or comparable(entry.command, entry.out) or "No resources" not in err:
        aligned = counters.align(entry.command, entry.err, err)
        found += _lines("stderr", entry, entry.err, aligned, counters)
    return Case(entry.name, tuple(found))


def _here(what: Replay, entry: Recorded) -> str:
    """A recorded command that names its API server, with this cluster's instead."""
    command = entry.command
    if "was refused" in entry.err:
        return command  # it named another one
    return re.sub(r"(--server=|-s )https://[\w.]+:\d+", rf"\g<1>{what.server}", command)


def _lines(stream: str, entry: Recorded, wanted: str, got: str, counters: Counters) -> list[str]:
    before = counters.without(lines_of(comparable(entry.command, wanted)))
    after = counters.without(lines_of(comparable(entry.command, got)))
    after = overtaken(before, after)
    changed = [
        line
        for line in difflib.unified_diff(before, after, lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    return [f"{stream}: {line[:300]}" for line in changed[:_LINES]]
