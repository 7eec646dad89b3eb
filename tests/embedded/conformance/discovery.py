"""Recorded reads of the API itself: discovery, tables, Status objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.embedded.conformance.normal import differences, value
from tests.embedded.conformance.outcome import Area, Case, Replay

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def areas(root: Path) -> Iterator[Area]:
    """The reads that an index.json lists."""
    for index in sorted(root.rglob("index.json")):
        yield Area(f"{index.parent.relative_to(root)}/http", _replayer(index))


def _replayer(index: Path) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        with what.cluster.http() as client:
            for entry in json.loads(index.read_text()):
                headers = {"accept": entry["accept"]} if entry.get("accept") else {}
                name = f"GET {entry['path']}" + (" (table)" if "Table" in str(headers) else "")
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
        return {
            f"{group['metadata'].get('name', '')}/{version['version']}/{resource['resource']}":
                resource | {"verbs": sorted(resource["verbs"]), "subresources": None}
            for group in document["items"]
            for version in group["versions"]
            for resource in version["resources"]
        }  # fmt: skip
    if kind == "APIGroupList":
        return {group["name"]: group for group in document["groups"]}
    if kind == "APIResourceList":
        return {r["name"]: r | {"storageVersionHash": None} for r in document["resources"]}
    if kind == "Table":
        return {"columns": document["columnDefinitions"]}
    if "paths" in document:
        names = document["paths"]
        return {name: True for name in names if not name.startswith(("/healthz/", "/livez/"))}
    if str(kind).endswith("List"):
        return {key: document[key] for key in ("kind", "apiVersion")}
    return value(document)
