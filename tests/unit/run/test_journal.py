"""The journal: what was written is read, and a torn last line is no loss."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import NotWritten, UsageError
from harness.core.observation import ErrorObserved
from harness.core.record import (
    Event,
    RunClosed,
    RunOpened,
    StepEnded,
    StepObserved,
    StepStarted,
    ToolInfo,
    decode_event,
    encode_event,
    fold_events,
)
from harness.run.journal import Journal, read_events, read_record

OPENED = RunOpened("r", "s", "s.yaml", "text", "0", ToolInfo("0", ("vpm",)), "t0")
EVENTS: tuple[Event, ...] = (
    OPENED,
    StepStarted("a", "t1"),
    StepObserved("a", "t2", ErrorObserved("no", mend="do")),
    StepEnded("a", "t3", 1.5),
    RunClosed("t4", 2.0),
)


def write(path: Path, events: tuple[Event, ...]) -> Path:
    with Journal(path) as journal:
        for event in events:
            journal.append(event)
    return path


def test_events_come_back(tmp_path: Path) -> None:
    assert tuple(read_events(write(tmp_path / "j", EVENTS))) == EVENTS


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Files may not grow beyond a size: to a writer that is a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("left", [0, 1, 20])
def test_what_found_no_room_is_written_when_there_is_some(tmp_path: Path, left: int) -> None:
    first, second, *rest = EVENTS
    with Journal(tmp_path / "j") as journal:
        journal.append(first)
        with (
            room_for((tmp_path / "j").stat().st_size + left),
            pytest.raises(NotWritten, match=r"/j cannot be written: File too large"),
        ):
            journal.append(second)
        assert tuple(read_events(tmp_path / "j")) == (first,)
        for event in rest:
            journal.append(event)
    assert tuple(read_events(tmp_path / "j")) == EVENTS


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_a_torn_last_line_is_left_out(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "j", EVENTS)
    path.write_bytes(path.read_bytes()[:-cut])
    assert tuple(read_events(path)) == EVENTS[:-1]
    assert not read_record(path).complete


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "j", EVENTS)
    with pytest.raises(FileExistsError):
        Journal(tmp_path / "j")


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "j", EVENTS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b'{"event": "nonsense"}\n', *lines[1:]]))
    with pytest.raises(UsageError, match=r"j:2:1: not a journal event"):
        read_record(path)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ((), "does not begin"),
        (EVENTS[1:], "does not begin"),
        ((OPENED, StepEnded("a", "t", 0.0)), "before it was started"),
        ((OPENED, OPENED), "a second run_opened"),
    ],
)
def test_a_journal_that_makes_no_sense(events: tuple[Event, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fold_events(events)


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no journal can be read"):
        read_record(tmp_path / "nothing")


@given(st.text(), st.text(), st.floats(min_value=0, max_value=1e9))
def test_any_text_survives_the_journal(step: str, message: str, seconds: float) -> None:
    try:
        (step + message).encode()
    except UnicodeEncodeError:
        return
    for event in (
        StepObserved(step, message, ErrorObserved(message)),
        StepEnded(step, message, seconds),
    ):
        line = encode_event(event)
        assert line.count(b"\n") == 1
        assert decode_event(line) == event
