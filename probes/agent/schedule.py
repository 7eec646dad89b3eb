"""The open-loop schedule: when each request starts, whatever became of the ones before it."""

from __future__ import annotations

import heapq
from typing import Iterator, Sequence

from .clock import NS
from .plan import Target
from .trace import Slot


def slots(targets: Sequence[Target], start_ns: int) -> Iterator[Slot]:
    """All requests of all targets in the order of their times, from the monotonic `start_ns` on.

    Request i of a target starts at start + offset + i/rate; its first `warmup` ones are marked.
    """
    return heapq.merge(
        *(_slots_of(i, target, start_ns) for i, target in enumerate(targets)),
        key=lambda slot: slot.due,
    )


def _slots_of(index: int, target: Target, start_ns: int) -> Iterator[Slot]:
    first = start_ns + round(target.offset * NS)
    for i in range(target.warmup + target.requests):
        # Multiplied each time instead of added up, so that no rounding error can accumulate.
        yield Slot(first + round(i * NS / target.rate), index, i, i < target.warmup)
