"""What a recording of commands begins with: made as far as the commands tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from tests.embedded.conformance import emptying, services
from tests.embedded.conformance.outcome import Replay
from tests.embedded.conformance.reading import manifests
from tests.embedded.conformance.recorded import Recorded, applied
from tests.embedded.conformance.services import Manifest, place
from tests.support.wait import eventually

_POD = re.compile(r"-\d{5}-deployment-")
_IDLE = 95.0  # seconds of the cluster from a service's last request to the end of its pods
IDLE_SCALE = 8.0


def clean(what: Replay, entries: Sequence[Recorded]) -> None:
    """Begin without leftovers of other areas: services, their pods, their events."""
    for namespace in sorted({"default", *_namespaces(what.root, entries)}):
        if namespace != "default":
            what.cluster.kubectl("create", "namespace", namespace)
        emptying.empty(what.cluster, namespace)


def _namespaces(root: Path, entries: Sequence[Recorded]) -> set[str]:
    """Where the commands look, and what they apply is made."""
    found = {
        str(document["metadata"].get("namespace", "default"))
        for entry in entries
        for document in applied(root, entry)
    }
    for entry in entries:
        found |= set(re.findall(r"(?:-n |--namespace[ =])([a-z0-9-]+)", entry.command))
    return found - {"knative-serving", "kourier-system", "kube-system"}


def presume(what: Replay, entries: Sequence[Recorded]) -> None:
    """A recording that begins with an existing service gets it from the recorded manifest."""
    for pod in sorted(_foreign_pods(entries)):
        sleeper = ["--command", "--", "sleep", "3600"]
        what.cluster.kubectl("run", pod, "--image=curlimages/curl", "--restart=Never", *sleeper)
        what.cluster.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=30s")
    for usual in services.usual_ones(what.root):
        if _presumed(what.root, entries, place(usual)[1]):
            install(what, usual)
            for later in _further(what, entries, usual):
                install(what, later)
            if idle(entries):
                _wait_for_zero(what)
            return


def _presumed(root: Path, entries: Sequence[Recorded], name: str) -> bool:
    """Whether commands find a service that they do not make."""
    first = entries[0]
    named = re.search(rf"\b{re.escape(name)}\b", first.command) is not None
    named = named or any(place(document)[1] == name for document in applied(root, first))
    creates = any(word in first.out for word in ("created", "No resources"))
    exists = named and first.code == 0 and not creates
    return exists or (named and "conflict with" in first.err) or _looked_at(entries, name)


def _looked_at(entries: Sequence[Recorded], name: str) -> bool:
    shown = "".join(entry.out for entry in entries)
    made = any(re.search(r"kubectl (apply|create) -f|kubectl run", e.command) for e in entries)
    return f"service.serving.knative.dev/{name} " in shown and not made


def _further(what: Replay, entries: Sequence[Recorded], usual: Manifest) -> list[Manifest]:
    """The second version of a service that is only looked at, if that shows its revision."""
    name = place(usual)[1]
    shown = any(f"{name}-00002" in entry.out for entry in entries)
    if not shown or not _looked_at(entries, name):
        return []
    return [m for m in services.versions(what.root, what.root, name) if m != usual][:1]


def idle(entries: Sequence[Recorded]) -> bool:
    """Whether a recording lists pods, and none of a service is among them."""
    lists = [e.out for e in entries if re.search(r"kubectl get (pods?|po)\b", e.command)]
    rows = [line for out in lists for line in out.splitlines()]
    return bool(lists) and not any(_POD.search(row) and "Terminating" not in row for row in rows)


def _wait_for_zero(what: Replay) -> None:
    """Services that had no requests for a while have no pods."""
    eventually(
        lambda: not what.cluster.kubectl("get", "pods", "-o", "name").out,
        timeout=_IDLE / what.scale + 30,
    )


def install(what: Replay, manifest: Manifest) -> None:
    """Apply a recorded manifest and wait for its service."""
    namespace, name = place(manifest)
    what.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(dict(manifest)))
    ready = ["--for=condition=Ready", f"ksvc/{name}", "-n", namespace, "--timeout=60s"]
    what.cluster.kubectl("wait", *ready, timeout=90)


def _foreign_pods(entries: Sequence[Recorded]) -> set[str]:
    """Pods that commands are run in without having been made by the recording."""
    used = {
        found[1] for e in entries if (found := re.search(r"exec (?:-i )?([a-z]+) -", e.command))
    }
    return {pod for pod in used if not any(f"run {pod}" in e.command for e in entries)}


def make(what: Replay, entry: Recorded) -> Iterator[str]:
    """What a recorded change was refused for existed: with nothing of what was refused.

    Gives the names of what had to be made, of which only that is known.
    """
    for document in manifests(entry.stdin):
        meta = document["metadata"]
        base = {**document, "metadata": {k: meta[k] for k in ("name", "namespace") if k in meta}}
        kind, space = str(document.get("kind")), str(meta.get("namespace", "default"))
        if document.get("kind") == "Service":
            kind = "ksvc"
        if what.cluster.kubectl("get", kind, str(meta.get("name")), "-n", space).code != 0:
            what.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(base))
            yield str(meta.get("name"))


def forget(what: Replay, entry: Recorded) -> None:
    """The recorder had removed what this command creates."""
    for document in applied(what.root, entry):
        if document.get("kind") == "Service":
            meta = document["metadata"]
            name, namespace = str(meta.get("name")), str(meta.get("namespace", "default"))
            what.cluster.kubectl("delete", "ksvc", name, "-n", namespace, "--ignore-not-found")
