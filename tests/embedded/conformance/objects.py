"""Recorded objects of a ready service, and the order of its conditions on the way there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.embedded.conformance import services
from tests.embedded.conformance.normal import differences, value
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.services import Manifest, place

_RESOURCES = {
    "ksvc": "services.serving.knative.dev",
    "svc": "services",
    "ingresses": "ingresses.networking.internal.knative.dev",
    "images": "images.caching.internal.knative.dev",
    "endpointslice": "endpointslices",
}
_SHOWN = 12  # differences of one object


def areas(root: Path) -> Iterator[Area]:
    """The objects beside the manifest of their service."""
    for folder in sorted({path.parent for path in root.rglob("ready-*.yaml")}):
        if found := services.usual(folder):
            uses = (found[0], *folder.glob("ready-*.yaml"))
            yield Area(f"{folder.relative_to(root)}/objects", _replayer(folder, found[1]), uses)


def _replayer(folder: Path, manifest: Manifest) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        kubectl = what.cluster.kubectl
        namespace, name = place(manifest)
        kubectl("delete", "ksvc", "--all", "-n", namespace)
        services.apply(what, manifest)
        wanted = ["--for=condition=Ready", f"ksvc/{name}", "-n", namespace, "--timeout=60s"]
        ready = kubectl("wait", *wanted, timeout=90)
        yield Case("READY", () if ready.code == 0 else (ready.err,))
        for path in sorted(folder.glob("ready-*.yaml")):
            yield from _objects(what, namespace, path)

    return replay


def _objects(what: Replay, namespace: str, path: Path) -> Iterator[Case]:
    wanted = yaml.safe_load(path.read_text())
    items = wanted.get("items", [wanted])
    plural = path.stem.removeprefix("ready-").removesuffix("-managedfields")
    resource = _RESOURCES.get(plural, plural)
    done = what.cluster.kubectl("get", resource, "-n", namespace, "-o", "json")
    if done.code != 0:
        yield Case(plural, (done.err.strip(),))
        return
    live = {_key(item): item for item in json.loads(done.out)["items"]}
    for item in items:
        name = f"{item['kind']}/{_key(item)}"
        if _key(item) not in live:
            yield Case(name, (f"absent; there are: {', '.join(sorted(live)) or 'none'}",))
            continue
        found = differences(_view(item), _view(live[_key(item)]))
        yield Case(name, tuple(found[:_SHOWN]))


def _key(item: dict[str, Any]) -> str:
    """The name without what is generated."""
    meta = item["metadata"]
    name = str(value(meta["name"]))
    prefix = meta.get("generateName", "")
    return f"{value(prefix)}*" if prefix and not name.endswith("POD") else name


def _view(item: dict[str, Any]) -> Any:
    seen = value(item)
    for term in ("kind", "apiVersion"):
        seen.pop(term, None)  # lists leave them out for built-in kinds
    seen.get("metadata", {}).pop("generation", None)  # counts writes, of which there may be fewer
    return _without_components(seen)


def _without_components(found: Any) -> Any:
    """Without pods of Knative's own components, and what one distribution alone mounts."""
    if isinstance(found, dict):
        return {
            key: _without_components(inner)
            for key, inner in found.items()
            if not (key == "targetRef" and inner.get("namespace") == "knative-serving")
        }
    if isinstance(found, list):
        return [_without_components(inner) for inner in found if not _is_foreign(inner)]
    return found


def _is_foreign(source: Any) -> bool:
    """Whether a volume's source is a ConfigMap that one distribution adds."""
    config = source.get("configMap") if isinstance(source, dict) else None
    return isinstance(config, dict) and str(config.get("name")).startswith("openshift-")
