"""Verdicts, exit codes and how claims fold into one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.spec.words import ExitCode as ExitCode
from harness.spec.words import Hop
from harness.spec.words import Verdict as Verdict

_WORST_FIRST = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that was claimed and how it was judged.

    `name` is one of `ready`, `reachable`, `sli <objective>`, `service` or `step`; `subject`
    is what it is about (`default/hello`, or the id of a step); `vantage` is set for claims
    that hold from one place only. `cites` are ids of the samples that decided it.
    """

    name: str
    subject: str
    verdict: Verdict
    reason: str
    vantage: str | None = None
    hop: Hop | None = None
    cites: tuple[str, ...] = ()
    confirms: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    next_step: str | None = None
    diagnosis: str | None = None
    not_checked: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The claim as a reader says it, for example `reachable from devbox`."""
        return f"{self.name} from {self.vantage}" if self.vantage else self.name


def fold(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of the verdicts: ERROR over FAIL over INCONCLUSIVE over PASS.

    No verdict at all is INCONCLUSIVE: nothing was checked.
    """
    seen = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in seen), Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """A judged step.

    `expected` is None without an expectation, else whether it was met; it changes exit codes,
    never the verdict. `skipped` is the reason why the step did not run.
    """

    step: str
    verdict: Verdict
    reason: str
    claims: tuple[Claim, ...] = ()
    expected: bool | None = None
    skipped: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the step counts as good: its expectation met, or PASS without one."""
        return self.verdict is Verdict.PASS if self.expected is None else self.expected


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """A judged run: its steps, the claims about each service (`default/hello`), and the fold.

    `itself` is the verdict of the run beyond its steps: ERROR when it could not be closed,
    INCONCLUSIVE when it did not come to its own end, else None.
    """

    verdict: Verdict
    reason: str
    steps: tuple[StepVerdict, ...]
    services: tuple[Claim, ...] = ()
    itself: Verdict | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 when every step is accepted; 1 for a missed expectation; else by the verdict."""
        rejected = [step for step in self.steps if not step.accepted]
        if any(step.expected is False for step in rejected):
            return ExitCode.FAIL
        verdicts = [step.verdict for step in rejected]
        verdicts += [self.itself] if self.itself else []
        if verdicts or not self.steps:
            return fold(verdicts).exit_code
        return ExitCode.PASS
