"""Container logs: what a process writes, kept line by line with its time."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from infra.embedded.clock import Clock, parse_rfc3339, rfc3339_micro

_log = logging.getLogger(__name__)

BLOCK = 65536
MESSAGE_BYTES, MESSAGE_LINES = 2048, 80  # what a termination message takes from the log
MAX_BYTES = 50 * 1024 * 1024  # of one container's log; then its older half is dropped
# Of the log of a part of this process, which a gateway under load fills in minutes.
MAX_COMPONENT_BYTES = 10 * 1024 * 1024
_LAST_BLOCKS = 64  # that are read from a pipe whose log ends, should somebody still write into it
MAX_LINE = 1024 * 1024  # a longer line is cut into lines


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What `kubectl logs` can ask for; `since` is a UTC time."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: datetime | None = None
    limit_bytes: int | None = None


class ContainerLog:
    """The log of one run of a container: lines `<time> <text>` in a file."""

    def __init__(self, path: Path, clock: Clock, most: int = MAX_BYTES) -> None:
        self.path = path
        self._most = most
        self._clock = clock
        self._size = 0
        self._dropped = 0  # bytes that were before what is in the file now
        self._changed = asyncio.Event()
        self.closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb", buffering=0)
        self._partial = b""
        self._read, self.output = os.pipe()
        os.set_blocking(self._read, False)
        asyncio.get_running_loop().add_reader(self._read, self._readable)

    def release(self) -> None:
        """The process has the output now: this side keeps only the reading end."""
        os.close(self.output)

    def write(self, line: str) -> None:
        """Add a line of the node's own; it is lost once the log has ended."""
        if not self.closed:
            self._append(line.encode(errors="replace") + b"\n")

    def close(self) -> None:
        """Take what is left in the pipe; the log then has ended."""
        for _ in range(_LAST_BLOCKS):
            if not self._readable():
                break
        self._finish()

    def message(self) -> str:
        """The end of the log, as a termination message."""
        lines = [text for _, text in _lines(self.path)][-MESSAGE_LINES:]
        return b"\n".join([*lines, b""])[-MESSAGE_BYTES:].decode("utf-8", "replace")

    async def read(self, options: LogOptions) -> AsyncIterator[bytes]:
        """The lines asked for; with follow, those to come until the container ends."""
        left = options.limit_bytes
        offset = self._dropped + _start(self.path, options)
        while True:
            self._changed.clear()
            whole = self._from(offset)
            offset = max(offset, self._dropped) + len(whole)
            for piece in _render(whole, options):
                if left is not None and left <= len(piece):
                    yield piece[:left]
                    return
                left = None if left is None else left - len(piece)
                yield piece
            if not options.follow or (self.closed and not whole):
                return
            if not self.closed:
                await self._changed.wait()

    def _from(self, offset: int) -> bytes:
        """Whole lines from an offset of all that was ever written, as far as they are kept."""
        with self.path.open("rb") as stream:
            stream.seek(max(0, offset - self._dropped))
            data = stream.read()
        return data[: data.rfind(b"\n") + 1]

    def _readable(self) -> bool:
        """Take one block, so that a busy writer holds up nobody; False when there is no more."""
        if self.closed:
            return False
        try:
            data = os.read(self._read, BLOCK)
        except BlockingIOError:
            return False
        if data:
            self._append(data)
        else:
            self._finish()
        return bool(data)

    def _append(self, data: bytes) -> None:
        stamp = rfc3339_micro(self._clock.now()).encode() + b" "
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > MAX_LINE:
            lines.append(self._partial)
            self._partial = b""
        text = b"".join(stamp + line + b"\n" for line in lines)
        try:
            self._file.write(text)
            self._size += len(text)
            if self._size > self._most:
                self._shorten()
        except OSError as error:  # a full disk loses lines of a log, not the pod
            _log.warning("%s: %s", self.path, error)
        self._changed.set()

    def _shorten(self) -> None:
        """Drop the older half, up to the beginning of a line."""
        with self.path.open("rb") as stream:
            stream.seek(-(self._most // 2), os.SEEK_END)
            kept = stream.read()
        kept = kept[kept.index(b"\n") + 1 :]
        self._file.seek(0)
        self._file.write(kept)
        self._file.truncate()
        self._dropped += self._size - len(kept)
        self._size = len(kept)

    def _finish(self) -> None:
        if self.closed:
            return  # at the pipe's end, which whoever closes the log may be the first to see
        if self._partial:
            self._append(b"\n")
        self.closed = True
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
        self._file.close()
        self._changed.set()


def _lines(path: Path) -> Iterator[tuple[bytes, bytes]]:
    with path.open("rb") as stream:
        for line in stream:
            stamp, _, text = line.rstrip(b"\n").partition(b" ")
            yield stamp, text


def _start(path: Path, options: LogOptions) -> int:
    """The offset of the first line that `tail` and `since` allow."""
    offsets: list[int] = []
    offset = 0
    with path.open("rb") as stream:
        for line in stream:
            stamp = line.partition(b" ")[0].decode("ascii")
            if options.since is None or parse_rfc3339(stamp) >= options.since:
                offsets.append(offset)
            offset += len(line)
    if options.tail is not None:
        offsets = offsets[len(offsets) - options.tail :] if options.tail < len(offsets) else offsets
        if options.tail == 0:
            return offset
    return offsets[0] if offsets else offset


def _render(data: bytes, options: LogOptions) -> Iterator[bytes]:
    for line in data.splitlines(keepends=True):
        yield line if options.timestamps else line.partition(b" ")[2]
