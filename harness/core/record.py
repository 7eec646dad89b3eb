"""The journal's events and the record that is their fold.

A journal is a list of events, one JSON object a line. `fold_events` turns it into a RunRecord;
a journal that ends early (a killed run) folds into a record that says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from harness.core.errors import UsageError
from harness.core.identity import ClusterIdentity
from harness.core.observation import Observation
from harness.core.redact import redact

SCHEMA = "vpm.journal/v1"


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """What made this run: versions, the command line, and the commit of the repository."""

    version: str
    command: tuple[str, ...]
    git_commit: str = ""
    git_dirty: bool | None = None
    git_branch: str = ""
    repository: str = ""
    python: str = ""
    platform: str = ""
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RunOpened:
    """First event. `plan` is the scenario's text, so that a run can be judged offline."""

    run_id: str
    scenario: str
    source: str
    plan: str
    plan_sha256: str
    tool: ToolInfo
    at: str
    language: str = "en"
    schema: str = SCHEMA
    event: Literal["run_opened"] = "run_opened"


@dataclass(frozen=True, slots=True)
class ClusterOpened:
    """The cluster is there; observations from now on are about it."""

    identity: ClusterIdentity
    capabilities: tuple[str, ...]
    at: str
    seconds: float
    event: Literal["cluster_opened"] = "cluster_opened"


@dataclass(frozen=True, slots=True)
class StepStarted:
    step: str
    at: str
    event: Literal["step_started"] = "step_started"


@dataclass(frozen=True, slots=True)
class StepObserved:
    step: str
    at: str
    observation: Observation
    event: Literal["step_observed"] = "step_observed"


@dataclass(frozen=True, slots=True)
class StepEnded:
    step: str
    at: str
    seconds: float
    event: Literal["step_ended"] = "step_ended"


@dataclass(frozen=True, slots=True)
class RunClosed:
    """Last event. `interrupted` when a person or signal ended the run early."""

    at: str
    seconds: float
    interrupted: bool = False
    error: str | None = None
    event: Literal["run_closed"] = "run_closed"


Event = Annotated[
    RunOpened | ClusterOpened | StepStarted | StepObserved | StepEnded | RunClosed,
    Field(discriminator="event"),
]

_EVENTS: TypeAdapter[Event] = TypeAdapter(Event)


def encode_event(event: Event) -> bytes:
    """One event as one line of JSON, newline included."""
    return _EVENTS.dump_json(event) + b"\n"


def redacted(event: Event) -> Event:
    """The event without secrets: what a scenario, a command or a server said is kept masked."""
    return decode_event(redact(_EVENTS.dump_json(event).decode()).encode())


def decode_event(line: bytes) -> Event:
    """The event of one line.

    Errors:
        UsageError: the line is not an event of this schema.
    """
    try:
        return _EVENTS.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"not a journal event: {place}: {first['msg']}") from error


@dataclass(frozen=True, slots=True)
class StepRecord:
    """Everything that was seen in one step. `ended` is empty while (or if never) finished."""

    step: str
    started: str
    ended: str = ""
    seconds: float = 0.0
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as its journal tells it."""

    opened: RunOpened
    cluster: ClusterOpened | None = None
    steps: dict[str, StepRecord] = field(default_factory=dict)
    closed: RunClosed | None = None

    @property
    def complete(self) -> bool:
        """Whether the run came to its own end."""
        return self.closed is not None and not self.closed.interrupted


def fold_event(record: RunRecord, event: Event) -> RunRecord:
    """The record after one more event."""
    match event:
        case RunOpened():
            raise UsageError("the journal has a second run_opened event")
        case ClusterOpened():
            return replace(record, cluster=event)
        case StepStarted():
            step = StepRecord(step=event.step, started=event.at)
        case StepObserved():
            before = _step(record, event.step)
            step = replace(before, observations=(*before.observations, event.observation))
        case StepEnded():
            step = replace(_step(record, event.step), ended=event.at, seconds=event.seconds)
        case RunClosed():
            return replace(record, closed=event)
    return replace(record, steps={**record.steps, step.step: step})


def fold_events(events: Iterable[Event]) -> RunRecord:
    """The record of a whole journal.

    Errors:
        UsageError: the journal is empty, does not begin with run_opened, or names a step that
            was never started.
    """
    stream = iter(events)
    first = next(stream, None)
    if not isinstance(first, RunOpened):
        raise UsageError("the journal does not begin with a run_opened event")
    record = RunRecord(opened=first)
    for event in stream:
        record = fold_event(record, event)
    return record


def _step(record: RunRecord, step: str) -> StepRecord:
    try:
        return record.steps[step]
    except KeyError:
        raise UsageError(f"the journal names step {step!r} before it was started") from None
