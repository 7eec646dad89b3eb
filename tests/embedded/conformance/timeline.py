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

import yaml

from tests.embedded.conformance.normal import text
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.support.wait import eventually

_EVENT = re.compile(r"^ *\S+ EVENT (\w+) (\w+)/(\S+) (\w+): (.*?) \(x\w+\) from=")
_SUFFIX = re.compile(r"(-deployment)-[a-z0-9]{6,10}(-[a-z0-9]{5})?")
_NODE = re.compile(r"(Successfully assigned \S+ to )\S+")
_LOST_RACE = "Operation cannot be fulfilled"

History = Mapping[str, list[str]]


def areas(root: Path) -> Iterator[Area]:
    """Folders with `timeline.txt` and the manifest `hello.yaml` that it is about."""
    for path in sorted(root.rglob("timeline.txt")):
        if (path.parent / "hello.yaml").exists():
            name = str(path.relative_to(root).with_suffix(""))
            uses = (path, path.parent / "hello.yaml")
            yield Area(f"{name} (events)", _replayer(path), uses)


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


def _replayer(path: Path) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        manifest = yaml.safe_load((path.parent / "hello.yaml").read_text())
        name = manifest["metadata"]["name"]
        kubectl = what.cluster.kubectl
        kubectl("delete", "ksvc", "--all")
        eventually(lambda: not kubectl("get", "pods", "-o", "name").out, timeout=90)
        kubectl("delete", "events", "--all")
        kubectl("apply", "-f", str(path.parent / "hello.yaml"))
        kubectl("wait", "--for=condition=Ready", f"ksvc/{name}", "--timeout=60s")
        wanted = recorded(path.read_text().splitlines())
        got = shown(json.loads(kubectl("get", "events", "-o", "json").out)["items"])
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
