"""A search for a pattern that may not hold the prober: all attempts share one thread.

Some patterns take for ever on some bodies (``(a+)+$``). Which do cannot be told from the pattern,
so each search has a bound, in CPU time, that a busy machine does not use up. Python's matcher looks
for signals while it works, so that a timer's signal ends it.
"""

from __future__ import annotations

import re
import signal
import threading

from .outcomes import Failure, Outcome

LIMIT_S = 0.25

_given_up: set[str] = set()


class _TooSlow(Exception):
    """The time for a search is over."""


def search(pattern: str, text: str) -> bool:
    """Whether `pattern` is found in `text`; Failure prober_error when that takes too long.

    A pattern that once took too long is not tried again: every attempt would pay for it.
    """
    if pattern in _given_up:
        raise _failure(pattern)
    if threading.current_thread() is not threading.main_thread():
        return re.search(pattern, text) is not None  # Only the main thread is given signals.
    try:
        return _search_in_time(pattern, text)
    except _TooSlow:
        _given_up.add(pattern)
        raise _failure(pattern) from None


def _search_in_time(pattern: str, text: str) -> bool:
    armed = True

    def end(_number: int, _frame: object) -> None:
        if armed:
            raise _TooSlow

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)
    try:
        return re.search(pattern, text) is not None
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _failure(pattern: str) -> Failure:
    detail = f"the pattern {pattern[:80]!r} takes more than {LIMIT_S} s of CPU: ask for less"
    return Failure(Outcome.PROBER_ERROR, detail)
