"""Waking up when contracts arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.runner.drain import Drained, drain
from harness.runner.watch import rounds
from harness.timing.clock import SystemClock
from tests.support.runner import Desk
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


SERVE = """
import sys
from pathlib import Path
from harness.runner.watch import end_as_at_ctrl_c, rounds
end_as_at_ctrl_c()
try:
    for _ in rounds(Path(sys.argv[1]), interval=60):
        print("round", flush=True)
except KeyboardInterrupt:
    pass
print("in good order")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_supervisor_ends_the_watch_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == "round\n"
    watching.send_signal(number)
    said, _ = watching.communicate(timeout=60)
    assert (said.splitlines()[-1], watching.returncode) == ("in good order", 0)


def test_what_is_still_being_written_is_left_a_while(desk: Desk) -> None:
    content = desk.contract().read_bytes()
    path = desk.settings.inbox / "slow.json"
    path.write_bytes(content[:50])
    runner = desk.runner()
    assert drain(runner, tell=lambda _news: None, patience=3600) == Drained()

    path.write_bytes(content)
    (observed,) = drain(runner, tell=lambda _news: None, patience=3600).observed
    assert observed.state == "succeeded"


@pytest.mark.parametrize("age", [7200, -7200])
def test_what_nobody_goes_on_writing_is_refused(desk: Desk, age: float) -> None:
    path = desk.settings.inbox / "slow.json"
    path.write_bytes(b"{")
    then = SystemClock().now().timestamp() - age
    os.utime(path, (then, then))
    (observed,) = drain(desk.runner(), tell=lambda _news: None, patience=3600).observed
    assert observed.reason.startswith("not_json")


def test_what_is_no_file_needs_no_patience(desk: Desk) -> None:
    (desk.settings.inbox / "link.json").symlink_to("nowhere")
    (observed,) = drain(desk.runner(), tell=lambda _news: None, patience=3600).observed
    assert observed.state == "refused"
