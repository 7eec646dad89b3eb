"""Polling with a deadline for tests of the emulator; the product has `harness.timing.wait`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.timing.clock import SystemClock
from harness.timing.wait import until

T = TypeVar("T")


def eventually(ask: Callable[[], T], *, timeout: float = 10.0, what: str = "condition") -> T:
    """Ask until the answer is truthy, at most `timeout` seconds, and return it."""
    return until(ask, bool, what=what, timeout=timeout, clock=SystemClock())
