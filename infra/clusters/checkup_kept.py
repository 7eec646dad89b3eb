"""Checks of what the harness remembers: its clusters, and creations that were cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.core.errors import ClusterError
from harness.core.finding import Finding, Status
from infra.clusters.errors import ToolMissing
from infra.clusters.images import Docker
from infra.clusters.kept import Kept, state_of
from infra.clusters.kind_create import control_plane
from infra.clusters.state import ClusterFolder, state_home

_WHY: Final = "what is written down decides what may be used again and deleted"


def kept_findings(
    provider: str, *, home: Path | None = None, docker: Docker | None = None
) -> tuple[tuple[Finding, ...], tuple[Kept, ...]]:
    """A finding for each remembered cluster of a provider, and those of them that run."""
    findings: list[Finding] = []
    running: list[Kept] = []
    for folder in _folders(provider, home):
        try:
            record = folder.record()
            if record is None:
                findings += _begun(folder)
                continue
            kept = Kept(folder, record)
            findings.append(_state(kept, docker))
            if findings[-1].status is Status.OK:
                running.append(kept)
        except ClusterError as error:
            findings.append(_finding(Status.FAILURE, error.message, error.mend))
    return tuple(findings), tuple(running)


def _folders(provider: str, home: Path | None) -> Iterator[ClusterFolder]:
    yield from map(ClusterFolder, sorted((home or state_home()).glob(f"{provider}/*/")))


def _begun(folder: ClusterFolder) -> Iterator[Finding]:
    intent = folder.intent()
    if intent:
        name = folder.path.name
        seen = f"the creation of {name} that began at {intent.at} never ended"
        yield _finding(Status.WARNING, seen, f"vpm cluster down {name}")


def _state(kept: Kept, docker: Docker | None) -> Finding:
    name, state = kept.record.name, state_of(kept)
    if state == "running":
        return _finding(Status.OK, f"{name} runs ({kept.record.uid})")
    if state == "another cluster":
        return _finding(
            Status.FAILURE,
            f"the context {kept.record.context} of {name} leads to another cluster than the one "
            "that was created",
            f"look at it, then remove the record: rm {kept.folder.path / 'created.json'}",
        )
    if kept.record.provider != "kind":
        return _finding(Status.WARNING, f"{name} is stopped", f"vpm cluster up {name}")
    node = control_plane(name)
    status = _node_status(docker, node)
    if status == "running":
        return _finding(
            Status.FAILURE,
            f"the node of {name} runs, but its API does not answer",
            f"kind export logs --name {name}; docker restart {node}",
        )
    seen = f"{name} is stopped: its node {node} is {status or 'gone'}"
    return _finding(Status.WARNING, seen, f"docker start {node}" if status else "vpm cluster up")


def _node_status(docker: Docker | None, node: str) -> str:
    try:
        return (docker or Docker.on_path()).status(node)
    except ToolMissing:
        return ""  # The check of the engine says that it is missing.


def _finding(status: Status, seen: str, mend: str | None = None) -> Finding:
    return Finding("kept-cluster", status, seen, _WHY, mend)
