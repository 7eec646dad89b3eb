"""An examiner for one repository, with no cluster: lint, approve and ask need no more."""

from __future__ import annotations

import os
from pathlib import Path

from harness.contracts.policy import Policy
from harness.runner.approvals import FileApprovals
from harness.runner.examine import Examiner
from harness.runner.kubectl import KubectlProcess
from harness.runner.manifests import ManifestReader
from harness.runner.runner import load_policy
from harness.runner.settings import RunnerSettings
from harness.timing.clock import SystemClock


def make_examiner(settings: RunnerSettings) -> Examiner:
    """Examines contracts under the repository's policy.

    kubectl is used to build kustomize directories only, and is given no cluster.

    Errors:
        UsageError: the policy cannot be read. SpecError: every problem in it.
    """
    policy = load_policy(settings.policy)
    return Examiner(
        policy=policy,
        reader=make_reader(settings, policy),
        approvals=FileApprovals(settings.approvals),
    )


def make_reader(settings: RunnerSettings, policy: Policy) -> ManifestReader:
    """Reads manifests under the repository's policy, without a cluster."""
    return ManifestReader(repo=settings.repo, policy=policy, kubectl=offline_kubectl())


def offline_kubectl() -> KubectlProcess:
    """A kubectl that knows no cluster."""
    return KubectlProcess(kubeconfig=Path(os.devnull), context="none", clock=SystemClock())
