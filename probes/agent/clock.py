"""The agent's only reader of time.

Durations and schedules use the monotonic clock in nanoseconds. Wall-clock times of samples are
derived from one pair of readings taken at the start, so a step of the wall clock during a run
cannot tear the samples apart; the second pair, taken at the end, shows whether there was one.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from datetime import datetime, timezone

NS = 1_000_000_000

mono_ns = time.monotonic_ns


@dataclass(frozen=True)
class ClockReading:
    """The wall clock and the monotonic clock, read at the same moment.

    `uncertainty_ns` is the time that passed between the two monotonic readings around the wall
    clock's: the pair is that exact.
    """

    utc: str
    utc_ns: int
    mono_ns: int
    uncertainty_ns: int

    def utc_ns_at(self, mono: int) -> int:
        """The wall-clock time in nanoseconds since the epoch at the monotonic time `mono`."""
        return self.utc_ns + (mono - self.mono_ns)

    def mono_ns_at(self, utc_ns: int) -> int:
        """The monotonic time at the wall-clock time `utc_ns`."""
        return self.mono_ns + (utc_ns - self.utc_ns)


def read_clocks() -> ClockReading:
    """Read both clocks, keeping the tightest of five pairs."""
    uncertainty, wall, mono = min(_read_pair() for _ in range(5))
    return ClockReading(utc=utc_text(wall), utc_ns=wall, mono_ns=mono, uncertainty_ns=uncertainty)


def _read_pair() -> tuple[int, int, int]:
    """How exact the pair is, the wall clock, and the monotonic clock at that moment."""
    before = time.monotonic_ns()
    wall = time.time_ns()
    after = time.monotonic_ns()
    return after - before, wall, (before + after) // 2


def utc_text(utc_ns: int) -> str:
    """`utc_ns` as ISO 8601 in UTC with microseconds and the label Z."""
    seconds, rest = divmod(utc_ns, NS)
    return f"{_second_text(seconds)}.{rest // 1000:06d}Z"


@functools.lru_cache(maxsize=16)
def _second_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}"
