"""The tools that a run uses on an open cluster: adapters of the parts, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.observation import ContractObserved, LoadObserved, ProbeObserved, ServiceObserved
from harness.core.record import RunOpened
from harness.evidence.store import EvidenceStore, RunFolder
from harness.ports import Clock, Cluster, CommandResult, Kubectl
from harness.run.tools import Folder, Tools
from harness.runner.kubectl import KubectlProcess
from harness.spec.model import LoadAction, ProbeAction
from infra.kube import KubernetesClient

if TYPE_CHECKING:
    from harness.runner.runner import Runner


class KubectlApplier:
    """Applies manifests with the pinned kubectl."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def apply(self, manifest: Path, *, timeout: float) -> CommandResult:
        """`kubectl apply -f MANIFEST`."""
        return self._kubectl.run(["apply", "-f", str(manifest)], timeout=timeout)
