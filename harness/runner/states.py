"""The life of a contract in the inbox, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from harness.core.verdict import ExitCode, Verdict


class State(StrEnum):
    """Where a contract stands. The last five are final."""

    INBOX = "inbox"
    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    NOOP = "noop"
    FAILED = "failed"
    REFUSED = "refused"
    ENVIRONMENT_MISMATCH = "environment_mismatch"


class Event(StrEnum):
    """What happens to a contract."""

    CLAIM = "claim"
    START = "start"
    RELEASE = "release"
    SUCCEED = "succeed"
    CHANGE_NOTHING = "change_nothing"
    FAIL = "fail"
    REFUSE = "refuse"
    MISMATCH = "mismatch"


TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.INBOX, Event.CLAIM): State.CLAIMED,
        (State.INBOX, Event.REFUSE): State.REFUSED,
        (State.CLAIMED, Event.RELEASE): State.INBOX,
        (State.CLAIMED, Event.REFUSE): State.REFUSED,
        (State.CLAIMED, Event.FAIL): State.FAILED,
        (State.CLAIMED, Event.MISMATCH): State.ENVIRONMENT_MISMATCH,
        (State.CLAIMED, Event.START): State.RUNNING,
        (State.RUNNING, Event.SUCCEED): State.SUCCEEDED,
        (State.RUNNING, Event.CHANGE_NOTHING): State.NOOP,
        (State.RUNNING, Event.FAIL): State.FAILED,
        (State.RUNNING, Event.REFUSE): State.REFUSED,
        (State.RUNNING, Event.MISMATCH): State.ENVIRONMENT_MISMATCH,
    }
)

FOLDER_OF: Mapping[State, str] = MappingProxyType(
    {
        State.INBOX: "",
        State.CLAIMED: "_running",
        State.RUNNING: "_running",
        State.SUCCEEDED: "_done",
        State.NOOP: "_done",
        State.FAILED: "_failed",
        State.REFUSED: "_refused",
        State.ENVIRONMENT_MISMATCH: "_failed",
    }
)

FINAL = frozenset(
    {State.SUCCEEDED, State.NOOP, State.FAILED, State.REFUSED, State.ENVIRONMENT_MISMATCH}
)
DONE = frozenset({State.SUCCEEDED, State.NOOP})

RESULT_OF: Mapping[Event, State] = MappingProxyType(
    {
        Event.SUCCEED: State.SUCCEEDED,
        Event.CHANGE_NOTHING: State.NOOP,
        Event.FAIL: State.FAILED,
        Event.REFUSE: State.REFUSED,
        Event.MISMATCH: State.ENVIRONMENT_MISMATCH,
    }
)

VERDICT_OF: Mapping[State, Verdict] = MappingProxyType(
    {
        State.SUCCEEDED: Verdict.PASS,
        State.NOOP: Verdict.PASS,
        State.FAILED: Verdict.FAIL,
        State.REFUSED: Verdict.FAIL,
        State.ENVIRONMENT_MISMATCH: Verdict.ERROR,
    }
)
EXIT_OF: Mapping[State, ExitCode] = MappingProxyType(
    {
        State.SUCCEEDED: ExitCode.PASS,
        State.NOOP: ExitCode.PASS,
        State.FAILED: ExitCode.FAIL,
        State.REFUSED: ExitCode.USAGE,
        State.ENVIRONMENT_MISMATCH: ExitCode.ERROR,
    }
)


def after(state: State, event: Event) -> State:
    """The state after an event.

    Errors:
        ValueError: the event cannot happen in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ValueError(f"{event} cannot happen to a contract that is {state}") from None
