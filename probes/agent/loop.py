"""A small event loop: one thread runs every attempt in flight.

A silent server at 2,000 requests a second and 5 s of patience means 10,000 attempts in flight,
too many for a thread each, and a blocking socket would need a poll before each call for its
deadline anyway. asyncio's streams were measured at one and a half times this loop's CPU for a
probe, and asyncio rounds timers up to a millisecond. Here a coroutine suspends on one of three
things only: a socket, a point in time, a wake-up by name.
"""

from __future__ import annotations

import contextlib
import heapq
import socket
import types
from collections import deque
from typing import Any, Coroutine, Generator

from .clock import mono_ns
from .poller import READ, WRITE, Poller, Watched

Task = Coroutine[Any, Any, None]
Request = tuple[object, int, int]

_SWEEP_NS = 5_000_000
_SLACK_NS = 60_000


@types.coroutine
def readable(watched: Watched, deadline: int) -> Generator[Request, bool, bool]:
    """Suspend until `watched` can be read; False when `deadline` (monotonic ns) came first."""
    return (yield (watched, READ, deadline))


@types.coroutine
def writable(watched: Watched, deadline: int) -> Generator[Request, bool, bool]:
    """Suspend until `watched` can be written; False when `deadline` came first."""
    return (yield (watched, WRITE, deadline))


@types.coroutine
def notified(token: object, deadline: int) -> Generator[Request, bool, bool]:
    """Suspend until `Loop.notify(token)`; False when `deadline` came first."""
    return (yield (token, 0, deadline))


@types.coroutine
def sleep_until(moment: int) -> Generator[Request, bool, bool]:
    """Suspend until the monotonic time `moment`, as exactly as the system's timers allow."""
    return (yield (None, 0, moment))


class Loop:
    """Runs coroutines that suspend on the functions above, all on the calling thread."""

    def __init__(self) -> None:
        self._poller = Poller()
        self._ready: deque[tuple[Task, bool | None]] = deque()
        self._waiting: dict[object, tuple[Task, int]] = {}
        self._sleeping: list[tuple[int, int, Task]] = []
        self._sleeps = 0
        self._next_sweep = 1 << 62
        self._notices: deque[object] = deque()
        self._alive: set[Task] = set()
        self._background: set[Task] = set()
        self._waker = _Waker()
        self._poller.arm(self._waker, READ)
        self._stopped = False

    @property
    def wake_fd(self) -> int:
        """A byte written here ends the current wait; fit for `signal.set_wakeup_fd`."""
        return self._waker.write_fd

    def spawn(self, task: Task, *, background: bool = False) -> None:
        """Start `task` at the loop's next turn; nobody waits for one in the background to end."""
        (self._background if background else self._alive).add(task)
        self._ready.append((task, None))

    def notify(self, token: object) -> None:
        """Wake whoever waits for `token`; from the loop's own thread."""
        self._resume(token, True)

    def notify_from_thread(self, token: object) -> None:
        """Wake whoever waits for `token`; from any thread."""
        self._notices.append(token)
        self._waker.wake()

    def stop(self) -> None:
        """Let `run` return soon; what is still in flight is closed there. Safe in a signal."""
        self._stopped = True
        self._waker.wake()

    def run(self) -> int:
        """Run until no task is left or `stop` was called; returns how many were cut off."""
        while self._alive and not self._stopped:
            while self._ready:
                task, value = self._ready.popleft()
                self._step(task, value)
            if self._alive and not self._stopped:
                self._wait()
        cut = len(self._alive)
        for task in (*self._alive, *self._background):
            task.close()
        self._alive.clear()
        return cut

    def close(self) -> None:
        """Give back the loop's own file descriptors."""
        self._poller.close()
        self._waker.close()

    def _step(self, task: Task, value: bool | None) -> None:
        try:
            on, events, deadline = task.send(value)
        except StopIteration:
            self._alive.discard(task)
            self._background.discard(task)
            return
        if on is None:
            self._sleeps += 1
            heapq.heappush(self._sleeping, (deadline, self._sleeps, task))
            return
        if events:
            self._poller.arm(on, events)
        self._waiting[on] = (task, deadline)
        if deadline < self._next_sweep:
            self._next_sweep = deadline

    def _wait(self) -> None:
        """Wait for events, timers or deadlines, and make the tasks they concern ready."""
        # The system wakes a sleeper up to its timer slack too late: the last stretch is polled.
        timer = self._sleeping[0][0] - _SLACK_NS if self._sleeping else 1 << 62
        until = min(timer, self._next_sweep)
        for watched in self._poller.wait(0 if self._notices else until - mono_ns()):
            if watched is self._waker:
                self._waker.drain()
                self._poller.arm(self._waker, READ)
            else:
                self._resume(watched, True)
        while self._notices:
            self._resume(self._notices.popleft(), True)
        now = mono_ns()
        while self._sleeping and self._sleeping[0][0] <= now:
            self._ready.append((heapq.heappop(self._sleeping)[2], True))
        if self._next_sweep <= now:
            self._sweep(now)

    def _resume(self, on: object, value: bool) -> None:
        entry = self._waiting.pop(on, None)
        if entry is not None:
            self._ready.append((entry[0], value))

    def _sweep(self, now: int) -> None:
        """Resume all whose deadline passed.

        Deadlines are not timers: nearly none ever passes, so they are looked through every few
        milliseconds at most instead of being sorted at each wait.
        """
        for on in [on for on, (_, deadline) in self._waiting.items() if deadline <= now]:
            self._resume(on, False)
        earliest = min((deadline for _, deadline in self._waiting.values()), default=1 << 62)
        self._next_sweep = max(earliest, now + _SWEEP_NS) if self._waiting else earliest


class _Waker(Watched):
    """Ends a wait from outside: from another thread, or from a signal handler."""

    __slots__ = ("_read", "_write")

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        super().__init__(self._read.fileno())

    @property
    def write_fd(self) -> int:
        return self._write.fileno()

    def wake(self) -> None:
        # Full of wake-ups already, or a thread that comes back after the loop was closed.
        with contextlib.suppress(OSError):
            self._write.send(b"\0")

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self._read.recv(4096)) == 4096:
                pass

    def close(self) -> None:
        self._read.close()
        self._write.close()
