"""Recorded reads of the API itself: discovery, tables, Status objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.embedded.conformance.normal import differences, value
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.reading import document

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


# What the emulator does not serve (see COVERAGE), and what only it does.
_ABSENT = re.compile(
    r"^/?(metrics|\.well-known|openid)(/|$)|/(poststarthook|autoregister-completion|etcd)\b"
    r"|^/(apis|openapi/v3)/$|emulator\.vpm\.dev"
)
_BUILD_FACTS = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler")


def areas(root: Path) -> Iterator[Area]:
    """The reads that a list of paths, statuses and files of bodies records."""
    for index in sorted(root.rglob("*.json")):
        entries = _entries(index)
        if entries:
            bodies = (index.parent / str(entry["file"]) for entry in entries)
            yield Area(f"{index.parent.relative_to(root)}/http", _replayer(index), (index, *bodies))


def _entries(index: Path) -> list[dict[str, Any]]:
    content = document(index)
    wanted = {"path", "status", "headers", "file"}
    return [
        entry
        for entry in (content if isinstance(content, list) else [])
        if isinstance(entry, dict) and wanted <= entry.keys()
    ]


def _replayer(index: Path) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        with what.cluster.http() as client:
            for entry in _entries(index):
                headers = {"accept": entry["accept"]} if entry.get("accept") else {}
                name = f"GET {entry['path']}" + (" (table)" if "Table" in str(headers) else "")
                if not (index.parent / str(entry.get("file"))).is_file():
                    yield Case(name, skipped="the recorded body is not there")
                    continue
                got = client.get(entry["path"], headers=headers)
                found = []
                if got.status_code != entry["status"]:
                    found.append(f"status {entry['status']} -> {got.status_code}")
                else:
                    kind = entry["headers"].get("content-type", "").replace(" ", "")
                    if got.headers.get("content-type", "").replace(" ", "") != kind:
                        found.append(f"content-type {kind} -> {got.headers.get('content-type')}")
                    found += _compare(index.parent / entry["file"], got.text)
                yield Case(name, tuple(found))

    return replay


def _compare(path: Path, got: str) -> list[str]:
    try:
        wanted = json.loads(path.read_text())
    except ValueError:
        return [] if path.read_text().strip() == got.strip() else [f"text differs: {got[:100]}"]
    return differences(_view(wanted), _view(json.loads(got)))


def _view(document: Any) -> Any:
    """The part of a document that is comparable between clusters with other objects."""
    kind = document.get("kind")
    if kind == "APIGroupDiscoveryList":
        served = {
            f"{group['metadata'].get('name', '')}/{version['version']}/{resource['resource']}":
                resource | {"verbs": sorted(resource["verbs"]), "subresources": None}
            for group in document["items"]
            for version in group["versions"]
            for resource in version["resources"]
        }  # fmt: skip
        return _without_own(served)
    if kind == "APIGroupList":
        return _without_own({group["name"]: group for group in document["groups"]})
    if kind == "APIResourceList":
        return {r["name"]: r | {"storageVersionHash": None} for r in document["resources"]}
    if kind == "Table":
        return {"columns": document["columnDefinitions"]}
    if "paths" in document:
        return _without_own(dict.fromkeys(document["paths"], True))
    if "gitVersion" in document:
        document = {k: v for k, v in document.items() if k not in _BUILD_FACTS}
    if str(kind).endswith("List"):
        return {key: document[key] for key in ("kind", "apiVersion")}
    return value(document)


def _without_own(served: dict[str, Any]) -> dict[str, Any]:
    return {name: what for name, what in served.items() if not _ABSENT.search(name)}
