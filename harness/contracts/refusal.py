"""Why a contract is refused: a closed list of reasons, each with a detail for a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.contracts.paths import shown
from harness.core.errors import UsageError


class Reason(StrEnum):
    """The named reasons. They are part of status.json: a change is a new schema version."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    UNKNOWN_FORM = "unknown_form"
    INVALID = "invalid"
    SHELL_SYNTAX = "shell_syntax"
    COMMAND = "command_not_allowed"
    FLAG = "flag_not_allowed"
    KIND = "kind_not_allowed"
    VERB = "verb_not_allowed"
    RESOURCE = "resource_not_allowed"
    NAMESPACE = "namespace_not_allowed"
    CONTEXT = "context_not_allowed"
    TIMEOUT = "timeout_not_allowed"
    PATH = "path_not_allowed"
    SCOPE = "scope_mismatch"
    MANIFEST = "manifest_unusable"
    OBJECT = "object_mismatch"
    REMOTE = "remote_source"
    APPROVAL_MISSING = "approval_missing"
    APPROVAL_INVALID = "approval_invalid"
    DIFF_DRIFTED = "diff_drifted"
    ALREADY_DONE = "already_done"
    NOT_EXECUTABLE = "not_executable_yet"
    NOT_A_FILE = "not_a_regular_file"


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """One reason why a contract may not run; `where` is a place in it, like `actions[0]`."""

    reason: Reason
    detail: str
    where: str = ""

    def __str__(self) -> str:
        place = f"{shown(self.where)}: " if self.where else ""
        return f"{self.reason}: {place}{shown(self.detail)}"


class ContractRefused(UsageError):
    """A contract may not run; `refusals` holds every reason that was found."""

    def __init__(self, *refusals: Refusal) -> None:
        self.refusals = refusals
        super().__init__("; ".join(str(refusal) for refusal in refusals))


def refuse(reason: Reason, detail: str, where: str = "") -> ContractRefused:
    """A ContractRefused with one reason, ready to be raised."""
    return ContractRefused(Refusal(reason, detail, where))
