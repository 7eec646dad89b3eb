"""Approvals kept as files beside the policy, found by what they are over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.contracts.forms import safe_name
from harness.contracts.model import Approval, Contract, Model, digest
from harness.contracts.refusal import ContractRefused
from harness.contracts.strict_json import parse_object, pretty, text_of
from harness.ports import Approvals
from harness.runner.files import read_once, write_atomic

MAX_FILES = 2_000
MAX_BYTES = 8_192


class _Kept(Model):
    """One file: an approval and the target that it is for."""

    target: str
    approval: Approval


class FileApprovals:
    """Approvals in a folder, `codex/approvals` by default; one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, *, over: str, target: str) -> Sequence[Approval]:
        """The approvals over this content on this target; unreadable files count for nothing."""
        pattern = f"{_short(over)}-*.json"
        paths = sorted(self._folder.glob(pattern))[:MAX_FILES]
        kept = [found for path in paths if (found := _load(path)) is not None]
        return [found.approval for found in kept if found.target == target]

    def record(self, approval: Approval, *, target: str) -> Path:
        """Keep an approval; the same one twice is one file."""
        kept = _Kept(target=target, approval=approval)
        content = pretty(kept.model_dump(mode="json", exclude_none=True))
        mark = digest(text_of(target) + content).removeprefix("sha256:")[:8]
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{_short(approval.over)}-{safe_name(approval.by)}-{mark}.json"
        write_atomic(path, content)
        return path


def consents(contract: Contract, approvals: Approvals, *, over: str) -> tuple[Approval, ...]:
    """Every approval that may count for a contract: its own, and those that were recorded."""
    own = (contract.approval,) if contract.approval else ()
    return (*own, *approvals.find(over=over, target=str(contract.target)))


def _short(over: str) -> str:
    return over.removeprefix("sha256:")[:16]


def _load(path: Path) -> _Kept | None:
    try:
        data = read_once(path, MAX_BYTES)
        parse_object(data, max_bytes=MAX_BYTES)
        return _Kept.model_validate_json(data)
    except (OSError, ContractRefused, ValueError):
        return None
