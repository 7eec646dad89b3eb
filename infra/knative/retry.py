"""Doing a thing again while its failure is of the passing kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from harness.ports import Clock

T = TypeVar("T")

DELAYS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between the attempts: a minute, as a webhook needs on a node that has just come back."""


def with_backoff(
    attempt: Callable[[], T],
    again: Callable[[T], bool],
    *,
    clock: Clock,
    delays: Sequence[float] = DELAYS,
) -> T:
    """The first result that is not to be tried again, or the last one there was."""
    for delay in delays:
        result = attempt()
        if not again(result):
            return result
        clock.sleep(delay)
    return attempt()
