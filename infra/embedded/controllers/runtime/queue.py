"""The work queue: each key waits in it at most once; failures come back later and later."""

import asyncio
import contextlib
import heapq
import itertools
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from infra.embedded.clock import Clock

K = TypeVar("K", bound=Hashable)

LONGEST_DELAY = 1000.0  # cluster seconds


class WorkQueue(Generic[K]):
    """Keys to work on, in order of arrival; all times are cluster seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[K] = deque()
        self._queued: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}  # the earliest time at which a key comes back
        self._order = itertools.count()
        self._failures: dict[K, int] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: K) -> None:
        """Queue a key, unless it already waits."""
        if key not in self._queued:
            self._queued.add(key)
            self._ready.append(key)
            self._changed.set()

    def add_after(self, key: K, delay: float) -> None:
        """Queue a key after `delay`; of several delays the shortest counts."""
        due = self._clock.monotonic() + max(0.0, delay)
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._later, (due, next(self._order), key))
            self._changed.set()

    def retry(self, key: K, base: float) -> float:
        """Queue a key after a failure: base, 2 base, 4 base ... ; returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(base * 2.0**failures, LONGEST_DELAY)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """The key's work succeeded: its next failure starts with the shortest delay."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key; waits for one."""
        while True:
            self._promote()
            if self._ready:
                key = self._ready.popleft()
                self._queued.discard(key)
                return key
            self._changed.clear()
            await self._wait()

    def _promote(self) -> None:
        """Move keys whose delay is over to the ready ones."""
        now = self._clock.monotonic()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    async def _wait(self) -> None:
        if not self._later:
            await self._changed.wait()
            return
        pause = (self._later[0][0] - self._clock.monotonic()) / self._clock.scale
        # Not wait_for: up to Python 3.11 it can lose a cancellation that comes with the timeout.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, pause)):
                await self._changed.wait()
