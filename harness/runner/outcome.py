"""How the execution of a contract ended, and the way its steps say so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.core.errors import VpmError
from harness.ports import CommandResult
from harness.runner.states import Event

# In kubectl's words; an admission webhook that refuses a manifest says Forbidden, too.
_DENIED = re.compile(r'User "[^"\n]*" cannot [^\n]{1,300}|You must be logged in[^\n]{1,200}')


@dataclass(frozen=True, slots=True)
class Change:
    """One object, before and after: generations are None where the object did not exist."""

    name: str
    before: int | None
    after: int | None
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an execution."""

    event: Event
    reason: str
    changes: tuple[Change, ...] = ()
    diff: str = ""

    @property
    def generations(self) -> tuple[int | None, int | None]:
        """Generation before and after, of the only object; None when there are several."""
        if len(self.changes) != 1:
            return None, None
        return self.changes[0].before, self.changes[0].after


class Stopped(VpmError):
    """A step ended the execution; `event` says what becomes of the contract."""

    def __init__(self, event: Event, reason: str) -> None:
        super().__init__(reason)
        self.event = event


def failed(reason: str) -> Stopped:
    """The work was begun and did not come to its end."""
    return Stopped(Event.FAIL, reason)


def mismatch(reason: str) -> Stopped:
    """This is not the cluster that the contract needs; nothing was changed."""
    return Stopped(Event.MISMATCH, reason)


def unwell(result: CommandResult, reason: str) -> Stopped:
    """A command did not end well: for want of rights, or for `reason`."""
    denied = _DENIED.search(result.stderr)
    return mismatch(f"the context has no right to this: {denied[0]}") if denied else failed(reason)
