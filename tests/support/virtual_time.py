"""An event loop whose time jumps to the next timer as soon as nothing is left to do.

What a test says about cluster time then holds on a machine of any speed, and an hour takes no
longer than what happens in it.  For stories without threads, sockets and processes only.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from infra.embedded.clock import Clock

T = TypeVar("T")
_Ready = list[tuple[selectors.SelectorKey, int]]


class _Skipping(selectors.SelectSelector):
    """Adds what it is asked to wait for to `now` instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> _Ready:
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        self.now += max(0.0, timeout)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


def virtual_clock() -> Clock:
    """Cluster time of the running loop, from now."""
    return Clock(monotonic=asyncio.get_running_loop().time)


def run_virtually(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What a story returns that runs in virtual time."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(story())
