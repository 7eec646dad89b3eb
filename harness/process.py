"""A child process followed to its end: bounded in time, and in memory for what it writes."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from typing import IO

from harness.ports import Clock

_CHUNK = 65_536


class Output:
    """What a process wrote, up to a limit (bytes) for each stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = {"stdout": bytearray(), "stderr": bytearray()}
        self.truncated = False

    def add(self, name: str, chunk: bytes) -> None:
        """Keep what there is room for."""
        kept = self._kept[name]
        room = self._limit - len(kept)
        kept += chunk[:room]
        self.truncated |= len(chunk) > room

    def text(self, name: str) -> str:
        """What was kept of `stdout` or `stderr`."""
        return self._kept[name].decode("utf-8", "replace")


def follow(
    process: subprocess.Popen[bytes], output: Output, *, deadline: float, clock: Clock
) -> int | None:
    """Read what a process writes until it ends; returns its exit code, None after the deadline.

    The process must have pipes for its output and lead a session of its own: at the deadline, or
    when we are interrupted, its whole group is killed.
    """
    try:
        with selectors.DefaultSelector() as selector:
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
                selector.register(_some(stream), selectors.EVENT_READ, name)
            while selector.get_map():
                if (left := deadline - clock.monotonic()) <= 0:
                    return None
                for key, _ in selector.select(left):
                    chunk = os.read(key.fd, _CHUNK)
                    output.add(key.data, chunk)
                    if not chunk:
                        selector.unregister(key.fileobj)
        return process.wait(max(0.0, deadline - clock.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    # Helpers (diff, credential plugins) live in its group. Until the leader has been waited for,
    # its number can not belong to another group.
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        _some(stream).close()


def _some(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the process was started without pipes for its output")
    return stream
