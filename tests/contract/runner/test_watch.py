"""Waking up when contracts arrive."""

from __future__ import annotations

import threading
from pathlib import Path

from harness.runner.watch import rounds
from harness.timing.clock import SystemClock
from tests.support.wait import eventually


def test_the_first_round_is_at_once_and_makes_the_inbox(tmp_path: Path) -> None:
    next(rounds(tmp_path / "inbox", interval=60))
    assert (tmp_path / "inbox").is_dir()


def test_an_arrival_starts_a_round_long_before_the_interval(tmp_path: Path) -> None:
    clock = SystemClock()
    waiting = rounds(tmp_path, interval=60)
    next(waiting)
    woken: list[float] = []

    def wait() -> None:
        next(waiting)
        woken.append(clock.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    number = 0

    def arrive() -> bool:
        # The watch may begin later than the thread: keep arriving until it has woken.
        nonlocal number
        number += 1
        (tmp_path / f"{number}.json").write_text("{}")
        return bool(woken)

    eventually(arrive, timeout=20, what="a round after an arrival")
    thread.join()
    assert woken


def test_the_interval_starts_a_round_without_any_change(tmp_path: Path) -> None:
    waiting = rounds(tmp_path, interval=0.05)
    for _ in range(3):
        next(waiting)
    assert list(tmp_path.iterdir()) == []
