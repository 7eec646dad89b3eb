"""Recorded events of a new service: for each object the same ones, in the same order.

Objects are reconciled side by side, so the order between different objects is not compared, nor
are events about writes that lost a race (`InternalError` of a conflict) and repetitions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.embedded.conformance import services
from tests.embedded.conformance.normal import text
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.services import Manifest, place
from tests.support.wait import eventually

_EVENT = re.compile(r"^ *\S+ EVENT (\w+) (\w+)/(\S+) (\w+): (.*?) \(x\w+\) from=")
_SUFFIX = re.compile(r"(-deployment)-[a-z0-9]{6,10}(-[a-z0-9]{5})?")
_NODE = re.compile(r"(Successfully assigned \S+ to )\S+")
_LOST_RACE = "Operation cannot be fulfilled"

History = Mapping[str, list[str]]


def areas(root: Path) -> Iterator[Area]:
    """Folders with `timeline.txt` and the manifest of the service that it is about."""
    for path in sorted(root.rglob("timeline.txt")):
        if found := services.usual(path.parent):
            name = str(path.relative_to(root).with_suffix(""))
            yield Area(f"{name} (events)", _replayer(path, found[1]), (path, found[0]))


def recorded(lines: Iterable[str]) -> History:
    """The events of a timeline by object."""
    found = (match for line in lines if (match := _EVENT.match(line)))
    return _history((f"{m[2]}/{m[3]}", m[4], m[5]) for m in found)


def _history(events: Iterable[tuple[str, str, str]]) -> History:
    history: dict[str, list[str]] = {}
    for about, reason, message in events:
        if _LOST_RACE in message:
            continue
        known = history.setdefault(_SUFFIX.sub(r"\1-HASH", about), [])
        line = text(_NODE.sub(r"\1NODE", _SUFFIX.sub(r"\1-HASH", f"{reason}: {message}")))
        if line not in known:
            known.append(line)
    return history


def _replayer(path: Path, manifest: Manifest) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        where = ["-n", place(manifest)[0]]
        kubectl = what.cluster.kubectl
        kubectl("delete", "ksvc", "--all", *where)
        eventually(lambda: not kubectl("get", "pods", *where, "-o", "name").out, timeout=90)
        kubectl("delete", "events", "--all", *where)
        services.apply(what, manifest)
        wanted = recorded(path.read_text().splitlines())
        got = shown(json.loads(kubectl("get", "events", *where, "-o", "json").out)["items"])
        for about in sorted(wanted.keys() | got.keys()):
            before, after = wanted.get(about, []), got.get(about, [])
            differences = () if before == after else (f"{before} -> {after}",)
            yield Case(about, differences)

    return replay


def shown(items: Iterable[Mapping[str, Any]]) -> History:
    """The events of a cluster by object, in the order in which they were written."""
    ordered = sorted(items, key=lambda event: int(event["metadata"]["resourceVersion"]))
    return _history(
        (
            f"{event['involvedObject']['kind']}/{event['involvedObject']['name']}",
            event["reason"],
            event["message"],
        )
        for event in ordered
    )
