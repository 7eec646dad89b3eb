"""Container logs: what is kept of what a process writes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from infra.embedded.clock import Clock
from infra.embedded.kubelet.logs import (
    MAX_BYTES,
    MAX_COMPONENT_BYTES,
    MAX_LINE,
    ContainerLog,
    LogOptions,
)


def log_of(
    folder: Path, chunks: list[bytes], options: LogOptions, most: int = MAX_BYTES
) -> list[bytes]:
    """What `kubectl logs` shows of a process that wrote these chunks and ended."""

    async def run() -> list[bytes]:
        log = ContainerLog(folder / "0.log", Clock(1.0), most)
        for chunk in chunks:
            await asyncio.to_thread(_write, log.output, chunk)
        log.release()
        while not log.closed:
            await asyncio.sleep(0)
        return [line async for line in log.read(options)]

    return asyncio.run(run())


def _write(output: int, data: bytes) -> None:
    while data:
        data = data[os.write(output, data) :]


def test_lines_and_an_unfinished_one(tmp_path: Path) -> None:
    shown = log_of(tmp_path, [b"one\ntw", b"o\nthree"], LogOptions())
    assert shown == [b"one\n", b"two\n", b"three\n"]


@pytest.mark.parametrize("most", [MAX_BYTES, MAX_COMPONENT_BYTES])
def test_the_newest_lines_of_a_log_that_is_too_large_are_kept(tmp_path: Path, most: int) -> None:
    line, number = b"x" * 999 + b"\n", most // 1000
    shown = log_of(tmp_path, [line * number, b"the last\n"], LogOptions(tail=2), most)
    assert shown == [line, b"the last\n"]
    assert most // 4 < (tmp_path / "0.log").stat().st_size <= most


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    shown = log_of(tmp_path, [b"y" * (3 * MAX_LINE)], LogOptions())
    assert len(shown) >= 3
    assert b"".join(shown).replace(b"\n", b"") == b"y" * (3 * MAX_LINE)


def test_a_log_may_be_closed_before_anyone_saw_the_end_of_the_pipe(tmp_path: Path) -> None:
    async def run() -> list[bytes]:
        log = ContainerLog(tmp_path / "0.log", Clock(1.0))
        _write(log.output, b"last words")
        log.release()
        log.close()
        log.close()
        return [line async for line in log.read(LogOptions())]

    assert asyncio.run(run()) == [b"last words\n"]
