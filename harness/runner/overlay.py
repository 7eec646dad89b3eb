"""Which manifests the overlays hold: what an /ask comment may name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.contracts.ask import OverlayEntry
from harness.contracts.policy import Policy
from harness.runner.kustomize import KUSTOMIZATIONS
from harness.runner.manifests import ManifestReader

SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def overlay_entries(repo: Path, *, policy: Policy, reader: ManifestReader) -> list[OverlayEntry]:
    """Every manifest below the policy's overlays that holds exactly one object."""
    entries = []
    for path in _files(repo, policy):
        facts = reader.read(path).facts
        if facts.problem or len(facts.objects) != 1:
            continue
        found = facts.objects[0]
        entries.append(
            OverlayEntry(
                path=path,
                api=found.api,
                kind=found.kind,
                name=found.name,
                namespace=found.namespace or policy.historical.namespace,
                digest=facts.digest,
            )
        )
    return entries


def _files(repo: Path, policy: Policy) -> Iterator[str]:
    for overlay in policy.overlays:
        for path in sorted((repo / overlay).glob("*")):
            if path.suffix in SUFFIXES and path.name not in KUSTOMIZATIONS:
                yield path.relative_to(repo).as_posix()
