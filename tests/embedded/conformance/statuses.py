"""Recorded conditions of services that fail: manifests applied together, looked at again later."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.embedded.conformance.normal import either_half, text
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.reading import document, manifest_file

LONGEST_WAIT = 110.0  # real seconds after apply; later looks need a faster clock
_USUAL_WAIT = {"": 60.0, " (late)": 100.0}  # real seconds
_SOON = 150  # recorded seconds
_AGE = re.compile(r"status-(\d+)s\.json$")
# What a recording calls an object, and how it is found for a service NAME.
_OBJECTS = {
    "service": ("ksvc", "{}"),
    "configuration": ("configuration", "{}"),
    "route": ("route", "{}"),
    "revision": ("revision", "{}-00001"),
    "podautoscaler": ("podautoscaler", "{}-00001"),
}

RACE = "a crash shows at once or at the deadline: which one is a race in Knative"


def areas(root: Path) -> Iterator[Area]:
    """Folders with `manifest-NAME.yaml` and `status-SECONDSs.json`."""
    for folder in sorted({path.parent for path in root.rglob("status-*s.json")}):
        manifests = tuple(sorted(folder.glob("manifest-*.yaml")))
        name = f"{folder.relative_to(root)}/status"
        soon, late = _parts(ages(folder))
        for suffix, looks in zip(_USUAL_WAIT, (soon, late), strict=True):
            if manifests and looks:
                # A fast clock leaves no time for the apply itself before an early look.
                scale = max(1.0, max(looks) / _USUAL_WAIT[suffix])
                uses = (*manifests, *looks.values())
                yield Area(
                    name + suffix, _replayer(folder, looks), uses, scale, _USUAL_WAIT[suffix]
                )


def _parts(looks: Mapping[int, Path]) -> tuple[dict[int, Path], dict[int, Path]]:
    """The looks at young services and those at old ones."""
    soon = {age: path for age, path in looks.items() if age <= _SOON}
    return soon, {age: path for age, path in looks.items() if age > _SOON}


def install(what: Replay, folder: Path) -> None:
    """Apply the manifests of a folder, each for the first time, in namespaces of their own."""
    kubectl = what.cluster.kubectl
    manifests = sorted(folder.glob("manifest-*.yaml"))
    documents = [obj for path in manifests for obj in manifest_file(path)]
    for namespace in sorted({d["metadata"].get("namespace", "default") for d in documents}):
        kubectl("create", "namespace", namespace)
        kubectl("delete", "ksvc", "--all", "-n", namespace)
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))


def _replayer(folder: Path, looks: Mapping[int, Path]) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        pace = max(what.pace, what.scale)
        install(what, folder)
        begin = time.monotonic()
        for age, path in sorted(looks.items()):
            left = age / pace - (time.monotonic() - begin)
            if left > LONGEST_WAIT:
                yield Case(f"after {age} s", skipped="needs --time-scale")
                continue
            time.sleep(max(left, 0.0))
            recorded = document(path)
            if isinstance(recorded, dict):
                yield from _looks(what, folder, age, recorded)
            else:
                yield Case(f"after {age} s", skipped=f"{path.name} is malformed")

    return replay


def ages(folder: Path) -> Mapping[int, Path]:
    """The recorded looks by the age of the services in seconds."""
    found = ((_AGE.search(path.name), path) for path in folder.glob("status-*s.json"))
    return {int(match[1]): path for match, path in found if match}


def _looks(what: Replay, folder: Path, age: int, recorded: Mapping[str, Any]) -> Iterator[Case]:
    current = {recorded_as: live(what, kind) for recorded_as, (kind, _) in _OBJECTS.items()}
    for name, wanted in recorded.items():
        if not (isinstance(wanted, dict) and manifest_file(folder / f"manifest-{name}.yaml")):
            yield Case(f"{name} after {age} s", skipped="its manifest is not recorded")
            continue
        revision = current["revision"].get(f"{name}-00001", {})
        if exited(wanted.get("revision")) != exited(revision):
            yield Case(f"{name} after {age} s", skipped=RACE)
            continue
        for recorded_as, (_, pattern) in _OBJECTS.items():
            status = wanted.get(recorded_as)
            if isinstance(status, dict):  # others say why there is none
                got = current[recorded_as].get(pattern.format(name), {})
                yield Case(f"{name} after {age} s: {recorded_as}", tuple(compare(status, got)))


def exited(revision: Any) -> bool:
    """Whether a revision's status shows that its container has ended."""
    conditions = revision.get("conditions") or () if isinstance(revision, dict) else ()
    return any(str(c.get("reason", "")).startswith("ExitCode") for c in conditions)


def racing(what: Replay, folder: Path, age: float) -> set[str]:
    """Services whose crash does not show as it did in the last recorded look before `age`."""
    before = [seconds for seconds in ages(folder) if seconds <= age]
    if not before:
        return set()
    recorded = document(ages(folder)[max(before)]) or {}
    revisions = live(what, "revision")
    return {
        name
        for name, wanted in recorded.items()
        if exited(wanted.get("revision")) != exited(revisions.get(f"{name}-00001", {}))
    }


def live(what: Replay, kind: str) -> Mapping[str, Mapping[str, Any]]:
    """The status of each object of a kind, by name."""
    done = what.cluster.kubectl("get", kind, "-A", "-o", "json")
    items = json.loads(done.out)["items"] if done.code == 0 else []
    return {item["metadata"]["name"]: item.get("status", {}) for item in items}


def compare(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> Iterator[str]:
    """Each condition of a status that is not as recorded."""
    before, after = _conditions(wanted), _conditions(got)
    for kind in sorted(before.keys() | after.keys()):
        if before.get(kind) != after.get(kind):
            yield f"{kind}: {before.get(kind)} -> {after.get(kind)}"


def _conditions(status: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        c["type"]: either_half(text(f"{c['status']} {c.get('reason', '')}: {c.get('message', '')}"))
        for c in status.get("conditions") or ()
    }
