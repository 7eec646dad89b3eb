"""What a check of the environment found: what was seen, why it matters, what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from harness.core.errors import VpmError

T = TypeVar("T")

# What a look at a strange machine may raise: testinfra asserts, and output may not be as expected.
_BROKEN = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    AssertionError,
)


_NO_MEND = "mend what it names, then run `vpm doctor` again"


class Status(StrEnum):
    """From the best to the worst; `skipped` says nothing about the environment."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look saw. `mend` is set for warnings and failures."""

    status: Status
    what: str
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result, ready to be shown."""

    id: str
    status: Status
    seen: str
    why: str
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """One thing to look at: its id, why it matters, and how to look."""

    id: str
    why: str
    look: Callable[[T], Seen]

    def perform(self, subject: T) -> Finding:
        """Look; a look that fails is itself a finding, so this never raises."""
        try:
            seen = self.look(subject)
        except VpmError as error:
            seen = Seen(Status.FAILURE, error.message, error.mend or _NO_MEND)
        except _BROKEN as error:
            problem = f"the check could not run: {type(error).__name__}: {error}"
            seen = Seen(Status.FAILURE, problem, "report this: the check itself is broken")
        return Finding(self.id, seen.status, seen.what, self.why, seen.mend)


def ok(what: str) -> Seen:
    """All is well."""
    return Seen(Status.OK, what)


def warning(what: str, mend: str) -> Seen:
    """It works, but not everything does."""
    return Seen(Status.WARNING, what, mend)


def failure(what: str, mend: str) -> Seen:
    """It does not work like this."""
    return Seen(Status.FAILURE, what, mend)


def skipped(what: str) -> Seen:
    """Not looked at, and why."""
    return Seen(Status.SKIPPED, what)


def perform_all(checks: Sequence[Check[T]], subject: T) -> tuple[Finding, ...]:
    """Every check's finding, in order."""
    return tuple(check.perform(subject) for check in checks)


def worst(findings: Iterable[Finding]) -> Status:
    """The worst status of the findings; ok when there are none."""
    order = list(Status)
    return max((finding.status for finding in findings), key=order.index, default=Status.OK)
