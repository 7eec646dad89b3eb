"""The chunked transfer coding (RFC 9112, section 7), strictly."""

from __future__ import annotations

import re
from typing import Callable

from .outcomes import Failure, Outcome

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\Z")
_MAX_LINE = 4096


class ChunkDecoder:
    """Takes bytes as they arrive and hands the data in the chunks to `write`."""

    __slots__ = ("_at", "_buffer", "_left", "_limit", "_state", "_trailer", "_write", "done")

    def __init__(self, write: Callable[[bytes], None], trailer_limit: int) -> None:
        self._write = write
        self._limit = trailer_limit
        self._buffer = b""
        self._at = 0
        self._left = 0
        self._trailer = 0
        self._state: Callable[[], bool] = self._size
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Decode `data`; what follows the end of the body is returned."""
        self._buffer = self._buffer[self._at :] + data
        self._at = 0
        while not self.done and self._state():
            pass
        return self._buffer[self._at :] if self.done else b""

    def _size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _SIZE.match(line)
        if match is None:
            raise Failure(Outcome.MALFORMED_RESPONSE, f"bad chunk size: {line[:40]!r}")
        self._left = int(match.group(1), 16)
        self._state = self._data if self._left else self._trailers
        return True

    def _data(self) -> bool:
        piece = self._buffer[self._at : self._at + self._left]
        if not piece:
            return False
        self._at += len(piece)
        self._left -= len(piece)
        self._write(piece)
        if not self._left:
            self._state = self._data_end
        return True

    def _data_end(self) -> bool:
        end = self._buffer[self._at : self._at + 2]
        if not b"\r\n".startswith(end):
            raise Failure(Outcome.MALFORMED_RESPONSE, "chunk is longer than its size says")
        if len(end) < 2:
            return False
        self._at += 2
        self._state = self._size
        return True

    def _trailers(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._trailer += len(line) + 2
        if self._trailer > self._limit:
            raise Failure(Outcome.TOO_LARGE, f"trailers are larger than {self._limit} bytes")
        if line and b":" not in line:
            raise Failure(Outcome.MALFORMED_RESPONSE, f"bad trailer: {line[:40]!r}")
        self.done = not line
        return True

    def _line(self) -> bytes | None:
        """The next line without its end, or None while it is incomplete."""
        end = self._buffer.find(b"\n", self._at, self._at + _MAX_LINE)
        if end < 0:
            if len(self._buffer) - self._at >= _MAX_LINE:
                raise Failure(Outcome.MALFORMED_RESPONSE, "endless line in the chunked coding")
            return None
        line, self._at = self._buffer[self._at : end], end + 1
        if not line.endswith(b"\r"):
            raise Failure(Outcome.MALFORMED_RESPONSE, "line of the chunked coding without CR")
        return line[:-1]
