"""Recorded commands: each is run again, and its exit code and outputs are compared."""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.embedded.conformance import circumstances
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.outputs import (
    Counters,
    comparable,
    document_differences,
    lines_of,
    overtaken,
)
from tests.support.cluster import KUBECTL

_LONGEST_PAUSE = 45.0  # recorded seconds
_TIMEOUT = 150.0
_LINES = 6  # of a difference that are shown
_ABSENT = re.compile(r"error when creating|\bcreated\b(?! \()")


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
        at = datetime.fromisoformat(entry["at"]).timestamp() if "at" in entry else 0.0
        return cls(
            entry["name"],
            entry["cmd"],
            entry.get("stdin") or "",
            entry["rc"],
            entry.get("stdout") or "",
            entry.get("stderr") or "",
            at,
            entry.get("ms", 0) / 1000,
        )


def areas(root: Path) -> Iterator[Area]:
    """An area for each file of recorded commands."""
    for path in sorted(root.rglob("*.json")):
        found = entries(path)
        if found:
            name = str(path.relative_to(root).with_suffix(""))
            scale = circumstances.scale(path.parent, [entry.command for entry in found])
            yield Area(name, _replayer(found, path.parent), (path,), scale, _seconds(found) / scale)


def entries(path: Path) -> list[Recorded]:
    """The recorded commands in a file; nothing for a file of another form."""
    try:
        content = json.loads(path.read_text())
    except ValueError:
        return []
    if not isinstance(content, list):
        return []
    return [
        Recorded.parse(entry)
        for entry in content
        if isinstance(entry, dict)
        and isinstance(entry.get("cmd"), str)
        and isinstance(entry.get("rc"), int)
        and "name" in entry
    ]


def _replayer(entries: list[Recorded], folder: Path) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        _clean(what, entries)
        presumed = circumstances.of(what, folder, [(e.command, e.err) for e in entries])
        if presumed.impossible:
            yield from (Case(entry.name, skipped=presumed.impossible) for entry in entries)
            return
        if presumed.broken:
            _install(what, "hello.yaml")
        elif not presumed.made:
            _presume(what, entries)
        counters = Counters()
        for gap, entry in zip(_gaps(entries), entries, strict=True):
            time.sleep(gap / what.pace)
            presumed.before(entry.err)
            skipped = presumed.skip(entry.command, entry.out + entry.err)
            yield Case(entry.name, skipped=skipped) if skipped else _case(what, entry, counters)
        presumed.end()

    return replay


def _seconds(entries: list[Recorded]) -> float:
    """About how long the commands take, with the pauses between them."""
    return sum(entry.took for entry in entries) + sum(_gaps(entries))


def _gaps(entries: list[Recorded]) -> Iterator[float]:
    """The pause before each command, in recorded seconds."""
    end = 0.0
    for entry in entries:
        gap = entry.at - entry.took - end if end else 0.0
        yield min(max(gap, 0.0), _LONGEST_PAUSE)
        end = entry.at


def _clean(what: Replay, entries: list[Recorded]) -> None:
    """Begin without leftovers of other areas: services, their pods, their events."""
    kubectl = what.cluster.kubectl
    for namespace in sorted({"default", *_namespaces(entries)}):
        if namespace != "default":
            kubectl("create", "namespace", namespace)
        kubectl("delete", "ksvc,configuration,route,revision", "--all", "-n", namespace)
        kubectl("delete", "pod", "--all", "-n", namespace, "--grace-period=1", timeout=90)
        kubectl("delete", "events", "--all", "-n", namespace)


def _namespaces(entries: list[Recorded]) -> set[str]:
    found = {
        document["metadata"].get("namespace", "default")
        for entry in entries
        for document in documents(entry.stdin)
    }
    for entry in entries:
        found |= set(re.findall(r"(?:-n |--namespace[ =])([a-z0-9-]+)", entry.command))
    return found - {"knative-serving", "kourier-system", "kube-system"}


def documents(stdin: str) -> list[dict[str, Any]]:
    """The objects in a YAML text; none in one that is no YAML."""
    try:
        found = list(yaml.safe_load_all(stdin)) if stdin else []
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    return [d for d in found if isinstance(d, dict) and isinstance(d.get("metadata"), dict)]


def _presume(what: Replay, entries: list[Recorded]) -> None:
    """A recording that begins with an existing service gets it from the recorded manifest."""
    for pod in sorted(_foreign_pods(entries)):
        sleeper = ["--command", "--", "sleep", "3600"]
        what.cluster.kubectl("run", pod, "--image=curlimages/curl", "--restart=Never", *sleeper)
        what.cluster.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=30s")
    shown = "".join(entry.out for entry in entries)
    made = any(re.search(r"kubectl (apply|create) -f|kubectl run", e.command) for e in entries)
    first = entries[0]
    exists = first.code == 0 and re.search(r"\bhello\b", first.command)
    creates = any(word in first.out for word in ("created", "No resources"))
    looked_at = "service.serving.knative.dev/hello" in shown and not made
    if (exists and not creates) or "conflict with" in first.err or looked_at:
        _install(what, "hello.yaml")
        if looked_at and "hello-00002" in shown:
            _install(what, "hello-changed.yaml")


def _install(what: Replay, name: str) -> None:
    """Apply a recorded manifest, if there is one, and wait for its service."""
    for manifest in sorted(what.root.rglob(name))[:1]:
        what.cluster.kubectl("apply", "-f", str(manifest))
        what.cluster.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=60s")


def _foreign_pods(entries: list[Recorded]) -> set[str]:
    """Pods that commands are run in without having been made by the recording."""
    used = {
        found[1] for e in entries if (found := re.search(r"exec (?:-i )?([a-z]+) -", e.command))
    }
    return {pod for pod in used if not any(f"run {pod}" in e.command for e in entries)}


def _case(what: Replay, entry: Recorded, counters: Counters) -> Case:
    if not entry.command.startswith("kubectl "):
        return Case(entry.name, skipped="not a kubectl command")
    if _ABSENT.search(entry.out + entry.err) and "already exists" not in entry.err:
        _forget(what, entry)
    if "error when patching" in entry.err:
        _make(what, entry)
    if "rollout" in entry.command or "port-forward" in entry.command:
        return Case(entry.name, skipped="not served: see COVERAGE")
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", _here(what, entry)],  # shell commands of one's own
            cwd=what.root,
            env={
                **os.environ,
                "KUBECONFIG": str(what.cluster.kubeconfig),
                "PATH": f"{KUBECTL.parent}:{os.environ['PATH']}",
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
        found += _lines("stdout", entry, entry.out, got)
    else:
        found += [f"stdout: {line}" for line in documents[:_LINES]]
    if got or comparable(entry.command, entry.out) or "No resources" not in err:
        found += _lines("stderr", entry, entry.err, counters.align(entry.command, entry.err, err))
    return Case(entry.name, tuple(found))


def _here(what: Replay, entry: Recorded) -> str:
    """A recorded command that names its API server, with this cluster's instead."""
    command = entry.command
    if "was refused" in entry.err:
        return command  # it named another one
    return re.sub(r"(--server=|-s )https://[\w.]+:\d+", rf"\g<1>{what.server}", command)


def _make(what: Replay, entry: Recorded) -> None:
    """What a recorded change was refused for existed: with nothing of what was refused."""
    for document in documents(entry.stdin):
        meta = document["metadata"]
        base = {**document, "metadata": {k: meta[k] for k in ("name", "namespace") if k in meta}}
        kind, space = str(document.get("kind")), str(meta.get("namespace", "default"))
        if document.get("kind") == "Service":
            kind = "ksvc"
        if what.cluster.kubectl("get", kind, str(meta.get("name")), "-n", space).code != 0:
            what.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(base))


def _forget(what: Replay, entry: Recorded) -> None:
    """The recorder had removed what this command creates."""
    path = re.search(r"-f (\S+\.yaml)", entry.command)
    source = what.root / path[1] if path else None
    stdin = source.read_text() if source and source.exists() else entry.stdin
    for document in documents(stdin):
        if document.get("kind") == "Service":
            meta = document["metadata"]
            name, namespace = str(meta.get("name")), str(meta.get("namespace", "default"))
            what.cluster.kubectl("delete", "ksvc", name, "-n", namespace, "--ignore-not-found")


def _lines(stream: str, entry: Recorded, wanted: str, got: str) -> list[str]:
    before = list(lines_of(comparable(entry.command, wanted)))
    after = overtaken(before, list(lines_of(comparable(entry.command, got))))
    changed = [
        line
        for line in difflib.unified_diff(before, after, lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    return [f"{stream}: {line[:300]}" for line in changed[:_LINES]]
