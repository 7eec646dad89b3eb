"""Services that recorded answers came from: their manifests are found and applied again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.embedded.conformance import reading
from tests.embedded.conformance.outcome import Replay
from tests.embedded.conformance.recorded import entries

RECORDED_DOMAIN = re.compile(r"\.127(?:\.\d+){3}\.sslip\.io$")
_APPLIED = re.compile(r"kubectl (apply|create) -f -")

Manifest = Mapping[str, Any]


def manifests(root: Path, folder: Path) -> Iterator[Manifest]:
    """Services that the commands of a folder apply, in order; then those in files, anywhere."""
    for path in sorted(folder.glob("*.json")):
        for entry in entries(path):
            if _APPLIED.search(entry.command) and entry.code == 0:
                yield from filter(_is_service, reading.manifests(entry.stdin))
    for path in sorted(root.rglob("*.yaml"), key=lambda p: (len(p.name), p)):
        if not path.name.startswith(("ready-", "manifest-")):
            yield from filter(_is_service, reading.manifest_file(path))


def files(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    """Services in the files of a folder, the shortest name first."""
    for path in sorted(folder.glob("*.yaml"), key=lambda p: (len(p.name), p)):
        if not path.name.startswith("ready-"):
            yield from ((path, m) for m in reading.manifest_file(path) if _is_service(m))


def usual(folder: Path) -> tuple[Path, Manifest] | None:
    """The service that the recordings of a folder are about, and its file: the plainest one."""
    plain = (found for found in files(folder) if not found[0].name.startswith("manifest-"))
    return next(plain, None)


def usual_ones(root: Path) -> Iterator[Manifest]:
    """The usual services of all folders."""
    for folder in sorted({path.parent for path in root.rglob("*.yaml")}):
        if found := usual(folder):
            yield found[1]


def versions(root: Path, folder: Path, name: str) -> list[Manifest]:
    """The different manifests of a service, those beside a recording first."""
    found: list[Manifest] = []
    for manifest in (*(m for _, m in files(folder)), *manifests(root, folder)):
        if place(manifest)[1] == name and manifest not in found:
            found.append(manifest)
    return found


def _is_service(document: Manifest) -> bool:
    group = str(document.get("apiVersion")).partition("/")[0]
    return document.get("kind") == "Service" and group == "serving.knative.dev"


def place(manifest: Manifest) -> tuple[str, str]:
    """The namespace and the name of a service."""
    meta = manifest["metadata"]
    return str(meta.get("namespace", "default")), str(meta["name"])


def tags(manifest: Manifest) -> set[str]:
    """The tags of a service's traffic."""
    return {str(target["tag"]) for target in traffic(manifest) if target.get("tag")}


def traffic(manifest: Manifest) -> list[Mapping[str, Any]]:
    """The targets of a service's traffic."""
    return list(manifest.get("spec", {}).get("traffic") or ())


def target(manifest: Manifest) -> str:
    """The TARGET that the recorded app greets."""
    try:
        containers = manifest["spec"]["template"]["spec"]["containers"]
    except (LookupError, TypeError):
        return ""
    values = (v for c in containers for v in c.get("env") or () if v.get("name") == "TARGET")
    return str(next(values, {}).get("value", ""))


def answering(host: str) -> Callable[[Manifest], bool]:
    """Whether a service answers at a recorded host, with or without a tag."""
    labels = RECORDED_DOMAIN.sub("", host).split(".")

    def answers(manifest: Manifest) -> bool:
        namespace, name = place(manifest)
        names = {name, *(f"{tag}-{name}" for tag in tags(manifest))}
        return labels[1:] == [namespace] and labels[0] in names

    return answers


def provide(
    what: Replay, found: Iterator[Manifest], last: Callable[[Manifest], bool]
) -> Manifest | None:
    """Apply what was applied to a service up to the manifest `last`; None when it is not there."""
    earlier: dict[tuple[str, str], list[Manifest]] = {}
    for manifest in found:
        history = earlier.setdefault(place(manifest), [])
        history.append(manifest)
        if last(manifest):
            for step in history:
                apply(what, step)
            return manifest
    return None


def apply(what: Replay, manifest: Manifest) -> None:
    """Apply a service, and wait until it is ready or has failed to be."""
    namespace, name = place(manifest)
    if namespace != "default":
        what.cluster.kubectl("create", "namespace", namespace)
    what.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(dict(manifest)))
    ready = ["--for=condition=Ready", f"ksvc/{name}", "-n", namespace, "--timeout=30s"]
    what.cluster.kubectl("wait", *ready)
