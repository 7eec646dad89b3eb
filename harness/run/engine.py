"""The stepwise engine: opens a run, does one step at a time, and journals what it sees."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from harness.core.errors import UsageError, VpmError
from harness.core.judge import judge_ended, judge_run, judge_step
from harness.core.observation import (
    ErrorObserved,
    FilesObserved,
    Observation,
    SkippedObserved,
)
from harness.core.plan import Plan, PlannedStep
from harness.core.record import (
    ClusterOpened,
    Event,
    RunClosed,
    RunOpened,
    RunRecord,
    StepEnded,
    StepObserved,
    StepRecord,
    StepStarted,
    fold_event,
    redacted,
)
from harness.core.redact import redact
from harness.core.verdict import RunVerdict, StepVerdict, Verdict
from harness.ports import Cluster
from harness.run.actions import Stage, perform
from harness.run.bundles import Bundles, suspects_of
from harness.run.journal import JOURNAL, Journal
from harness.run.tools import Folder, Settings
from harness.spec.model import EvidenceAction
from harness.spec.suggest import suggest
from harness.spec.words import ExitCode

Listener = Callable[[Event], None]


class NotAccepted(VpmError):
    """What a cluster's block ends with when the run in it was not accepted."""


def _nobody(_: Event) -> None:
    """Listens to nothing."""


class Run:
    """A run of one plan. Steps are done once; what they need is done before them."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        folder: Folder,
        run_id: str,
        *,
        tell: Listener = _nobody,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self._settings = settings
        self._clock = settings.clock
        self._tell = tell
        self._began = settings.clock.monotonic()
        self._open = ExitStack()
        self._stage: Stage | None = None
        self._cluster: Cluster | None = None
        self._closed: RunVerdict | None = None
        self._bundles = Bundles(settings.evidence)
        self._journal = Journal(folder.path / JOURNAL)
        text = redact(plan.text)
        opened = RunOpened(
            run_id=run_id,
            scenario=plan.scenario.name,
            source=plan.source,
            plan=text,
            plan_sha256=hashlib.sha256(text.encode()).hexdigest(),
            tool=settings.tool,
            at=self._now(),
            language=settings.language,
        )
        self.record = RunRecord(opened=opened)
        self._journal.append(opened)
        tell(opened)

    def step(self, id: str) -> StepRecord:
        """Do a step and, before it, whatever it needs; a step done before is not done again."""
        planned = self.plan.by_id.get(id)
        if planned is None:
            raise UsageError(
                f"the scenario has no step {id!r}; {suggest(id, self.plan.by_id)}",
                mend="vpm plan SCENARIO lists the steps",
            )
        if self._closed is not None:
            raise UsageError(f"step {id!r}: the run is closed")
        for need in planned.needs:
            self.step(need)
        if id not in self.record.steps:
            self._do(planned)
        return self.record.steps[id]

    def verdict(self, id: str) -> StepVerdict:
        """The verdict of a step that was done."""
        return judge_step(self.plan, self.record, id)

    def close(self, *, interrupted: bool = False) -> RunVerdict:
        """Collect diagnostics, mend faults, let go of the cluster, write the evidence.

        Calling it again returns the same verdict.
        """
        if self._closed is not None:
            return self._closed
        error = self._let_go(interrupted=interrupted)
        seconds = self._clock.monotonic() - self._began
        self._emit(RunClosed(self._now(), seconds, interrupted=interrupted, error=error))
        self._journal.close()
        self._closed = judge_ended(self.plan, self.record)
        copies = self._stage.copies if self._stage else ()
        self._settings.evidence.write_run(self.record, self._closed, copies)
        return self._closed

    def _let_go(self, *, interrupted: bool) -> str | None:
        """Close what is open; what goes wrong is reported, and never hides the verdict."""
        try:
            try:
                if self._bundles.empty and (interrupted or not self._passed):
                    # Whoever interrupts does not want to wait for all that kubectl could tell.
                    self._diagnose("end of the run", accepted=self._accepted, brief=interrupted)
                self._mend_faults()
            finally:
                self._close_cluster()
        except VpmError as error:
            return str(error)
        return None

    def _close_cluster(self) -> None:
        """A driver that keeps clusters on failure learns of one as an exception in its block."""
        if self._accepted:
            self._open.close()
            return
        failure = NotAccepted("the run was not accepted")
        with suppress(NotAccepted):
            self._open.__exit__(NotAccepted, failure, None)

    @property
    def _accepted(self) -> bool:
        return judge_run(self.plan, self.record).exit_code == ExitCode.PASS

    @property
    def _passed(self) -> bool:
        return judge_run(self.plan, self.record).verdict is Verdict.PASS

    def _diagnose(self, step: str, *, accepted: bool, brief: bool = False) -> None:
        cluster, stage = self._cluster, self._stage
        if cluster is not None and stage is not None:
            self._bundles.take(
                step,
                suspects_of(self.plan, self.record, step),
                accepted=accepted,
                diagnoser=None if brief else stage.tools.diagnoser,
                driver=partial(self._settings.cluster.diagnostics, cluster),
            )

    def _mend_faults(self) -> None:
        while self._stage is not None and self._stage.faults:
            _, fault = self._stage.faults.popitem()
            fault.close()

    def _do(self, planned: PlannedStep) -> None:
        began = self._clock.monotonic()
        self._emit(StepStarted(planned.id, self._now()))
        try:
            self._perform(planned)
        except VpmError as error:
            self._observe(planned.id, ErrorObserved(error.message, mend=error.mend))
        except OSError as error:  # A disk that is full, a folder that belongs to somebody else.
            self._observe(planned.id, ErrorObserved(f"the machine does not let us go on: {error}"))
        self._emit(StepEnded(planned.id, self._now(), self._clock.monotonic() - began))
        verdict = self.verdict(planned.id)
        if verdict.verdict is not Verdict.PASS and verdict.skipped is None:
            self._diagnose(planned.id, accepted=verdict.accepted)

    def _perform(self, planned: PlannedStep) -> None:
        missing = [need for need in planned.needs if not self.verdict(need).accepted]
        if self._stage is not None and _is_evidence(planned):
            missing = []  # Evidence is published of what went wrong, too.
        if missing:
            verdict = self.verdict(missing[0])
            why = f"it needs {missing[0]!r}, which ended in {verdict.verdict}: {verdict.reason}"
            self._observe(planned.id, SkippedObserved(why))
        elif planned.step is None:
            self._open_cluster()
        elif self._stage is not None:
            for observation in perform(self._stage, planned.step.action):
                self._observe(planned.id, observation)

    def _open_cluster(self) -> None:
        began = self._clock.monotonic()
        cluster = self._open.enter_context(self._settings.cluster.open())
        self._cluster = cluster
        self._emit(
            ClusterOpened(
                identity=cluster.identity,
                capabilities=tuple(sorted(cluster.capabilities)),
                at=self._now(),
                seconds=self._clock.monotonic() - began,
            )
        )
        self._stage = Stage(
            plan=self.plan,
            settings=self._settings,
            tools=self._settings.tools(cluster, self.folder),
            owned="owned" in cluster.capabilities,
            domain=cluster.domain,
            stamp=self._stamp,
            record=lambda: self.record,
            verdict=lambda: judge_run(self.plan, self.record),
            faults={},
            copies=[],
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What steps have to say to whoever reads the summary, such as a trend."""
        return tuple(
            note
            for step in self.record.steps.values()
            for observation in step.observations
            if isinstance(observation, FilesObserved)
            for note in observation.notes
        )

    def _stamp(self, template: Path) -> Path:
        return self._settings.stamp(template, self.folder.path / "inbox", self.record.opened)

    def _observe(self, step: str, observation: Observation) -> None:
        self._emit(StepObserved(step, self._now(), observation))

    def _emit(self, event: Event) -> None:
        event = redacted(event)
        self._journal.append(event)
        self.record = fold_event(self.record, event)
        self._tell(event)

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_evidence(planned: PlannedStep) -> bool:
    return planned.step is not None and isinstance(planned.step.action, EvidenceAction)
