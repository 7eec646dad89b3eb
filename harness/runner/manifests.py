"""Facts about the manifests that a contract names, gathered for the policy.

The bytes are read once, through descriptors that follow no link; the same bytes are hashed,
judged and given to kubectl on its standard input. The path is never opened again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.contracts.facts import ManifestFacts
from harness.contracts.model import digest
from harness.contracts.paths import is_below, leaves
from harness.contracts.policy import Policy
from harness.contracts.strict_yaml import UnusableYaml, objects
from harness.core.redact import MASK
from harness.ports import Kubectl
from harness.runner.files import NotAFile, read_below
from harness.runner.kustomize import Unbuildable, check_sources

KUSTOMIZE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ManifestRead:
    """The facts about one path, and the bytes that they are about."""

    facts: ManifestFacts
    content: bytes = b""


class ManifestReader:
    """Reads manifests of one repository; `kubectl` builds kustomize directories."""

    def __init__(self, *, repo: Path, policy: Policy, kubectl: Kubectl) -> None:
        self._repo = repo.resolve()
        self._policy = policy
        self._kubectl = kubectl

    def read(self, declared: str) -> ManifestRead:
        """What is at a path that a contract gave; never raises for what is found there."""
        facts = ManifestFacts(declared=declared)
        if leaves(declared):
            return ManifestRead(replace(facts, problem="written with .. or from the root"))
        try:
            real = os.path.realpath(self._repo / declared, strict=True)
            if not is_below(real, [str(self._repo)]):
                return ManifestRead(replace(facts, problem="leads out of the repository"))
            facts = replace(facts, real=real[len(str(self._repo)) + 1 :])
            if not is_below(facts.real, self._policy.overlays):
                return ManifestRead(facts)  # what lies elsewhere is not even opened
            return self._open(facts)
        except (OSError, RuntimeError) as error:
            return ManifestRead(replace(facts, problem=_said(error)))

    def read_all(self, paths: Mapping[str, None]) -> dict[str, ManifestRead]:
        """`read` for each path, once."""
        return {path: self.read(path) for path in paths}

    def _open(self, facts: ManifestFacts) -> ManifestRead:
        if (self._repo / facts.real).is_dir():
            return self._build(facts)
        limit = self._policy.limits.manifest_bytes
        content = read_below(self._repo, facts.real.split("/"), limit=limit)
        return self._judged(facts, content)

    def _judged(self, facts: ManifestFacts, content: bytes) -> ManifestRead:
        facts = replace(facts, size=len(content), digest=digest(content))
        limit = self._policy.limits.manifest_bytes
        if len(content) > limit:
            return ManifestRead(replace(facts, problem=f"larger than {limit} bytes"))
        try:
            return ManifestRead(replace(facts, objects=objects(content)), content)
        except UnusableYaml as error:
            return ManifestRead(replace(facts, problem=str(error)))

    def _build(self, facts: ManifestFacts) -> ManifestRead:
        facts = replace(facts, kustomized=True)
        overlay = next(path for path in self._policy.overlays if is_below(facts.real, [path]))
        with tempfile.TemporaryDirectory(prefix="vpm-kustomize-") as folder:
            private = Path(folder) / "overlay"
            # A private copy without links: what is checked is what is built.
            shutil.copytree(self._repo / overlay, private, symlinks=True)
            base = private / Path(facts.real).relative_to(overlay)
            try:
                remote = check_sources(base, top=private)
            except Unbuildable as error:
                return ManifestRead(replace(facts, problem=str(error)))
            if remote:
                return ManifestRead(replace(facts, remote=remote))
            result = self._kubectl.run(["kustomize", str(base)], timeout=KUSTOMIZE_SECONDS)
        if result.exit_code != 0 or result.truncated:
            problem = f"kustomize failed: {result.stderr.strip()[:300]}"
            return ManifestRead(replace(facts, problem=problem))
        if MASK in result.stdout:
            # The output was redacted, so it is not what kustomize built.
            return ManifestRead(replace(facts, problem="it holds what looks like a secret"))
        return self._judged(facts, result.stdout.encode())


def _said(error: Exception) -> str:
    if isinstance(error, NotAFile):
        return str(error)
    text = error.strerror if isinstance(error, OSError) else None
    return text or type(error).__name__
