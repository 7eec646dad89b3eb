"""The only poller: ask until the answer is right or the deadline has passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.core.errors import EnvironmentProblem
from harness.ports import Clock

T = TypeVar("T")


class WaitTimeout(EnvironmentProblem):
    """The deadline passed; `last` says what was seen last."""

    def __init__(self, what: str, *, seconds: float, last: str) -> None:
        super().__init__(f"{what}: not so after {seconds:g} s; last seen: {last}")
        self.last = last


def until(
    ask: Callable[[], T],
    accept: Callable[[T], bool],
    *,
    what: str,
    timeout: float,
    clock: Clock,
    interval: float = 0.05,
    describe: Callable[[T], str] = repr,
) -> T:
    """Ask every `interval` seconds until `accept(answer)`; return that answer.

    Errors:
        WaitTimeout: no accepted answer within `timeout` seconds.
    """
    deadline = clock.monotonic() + timeout
    while True:
        answer = ask()
        if accept(answer):
            return answer
        left = deadline - clock.monotonic()
        if left <= 0:
            raise WaitTimeout(what, seconds=timeout, last=describe(answer))
        clock.sleep(min(interval, left))
