"""Where the runner finds things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """Paths of one repository; `lock_timeout` in seconds bounds the wait for the cluster."""

    repo: Path
    inbox: Path
    reports: Path
    policy: Path
    lock_timeout: float = 300.0

    @classmethod
    def of_repository(cls, repo: Path) -> RunnerSettings:
        """The usual places below a repository."""
        return cls(
            repo=repo,
            inbox=repo / "codex" / "inbox",
            reports=repo / "reports" / "codex_runs",
            policy=repo / "codex" / "policy.yaml",
        )

    @property
    def ledger(self) -> Path:
        """The folder of the ledgers and locks."""
        return self.repo / ".vpm" / "ledger"

    @property
    def approvals(self) -> Path:
        """The folder of the recorded approvals."""
        return self.policy.parent / "approvals"
