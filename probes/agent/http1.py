"""HTTP/1.1 answers (RFC 9112), read strictly and without doing I/O.

A prober must not repair what it measures: whatever a lenient client would accept silently (bare
line feeds, two lengths, bytes after the end) is malformed_response here, with the reason.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from .body import Body
from .chunked import ChunkDecoder
from .outcomes import Failure, Outcome
from .plan import Limits

_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) ([1-5][0-9]{2})(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?\Z")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00-\x08\x0a-\x1f\x7f]*)\Z")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(r"[0-9]{1,18}\Z")


class Head(NamedTuple):
    """The status line and header fields of one answer.

    Names are in lower case; values of fields that came more than once are joined by commas.
    """

    version: str
    status: int
    fields: dict[str, str]


class Framing(NamedTuple):
    """How the body ends: after `length` bytes, by its chunks, or (neither) with the connection."""

    length: int | None = None
    chunked: bool = False


def framing_of(head: Head, method: str) -> Framing:
    """How the body of the answer `head` to `method` ends (RFC 9112, section 6.3)."""
    coding = head.fields.get("transfer-encoding")
    length = head.fields.get("content-length")
    if coding is not None:
        if length is not None:
            raise _malformed("both Transfer-Encoding and Content-Length")
        if head.version != "1.1" or coding.lower() != "chunked":
            raise _malformed(f"unsupported Transfer-Encoding: {coding[:60]!r}")
    elif length is not None and not _LENGTH.match(length):
        length = _agreed_length(length)
    if method == "HEAD" or head.status < 200 or head.status in (204, 304):
        return Framing(length=0)
    if coding is not None:
        return Framing(chunked=True)
    return Framing() if length is None else Framing(length=int(length))


def _agreed_length(value: str) -> str:
    """The one length that the repeated field `value` names."""
    lengths = {part.strip() for part in value.split(",")}
    length = lengths.pop()
    if lengths or not _LENGTH.match(length):
        raise _malformed(f"bad Content-Length: {value[:60]!r}")
    return length


class ResponseReader:
    """Takes the bytes of one answer as they arrive; Failure when they are none."""

    __slots__ = ("_buffer", "_checked", "_chunks", "_left", "_limits", "_method", "_seen", "body",
                 "complete", "head", "reusable")  # fmt: skip

    def __init__(self, method: str, limits: Limits, body: Body) -> None:
        self._method = method
        self._limits = limits
        self._buffer = b""
        self._checked = 0
        self._seen = 0
        self._left: int | None = None
        self._chunks: ChunkDecoder | None = None
        self.body = body
        self.head: Head | None = None
        self.complete = False
        self.reusable = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes; afterwards `head` and `complete` tell how far the answer is."""
        if self.head is None:
            self._checked = max(0, len(self._buffer) - 1)
            self._buffer += data
            self.head = self._final_head()
            if self.head is None:
                return
            self._start(self.head)
            data, self._buffer = self._buffer, b""
        self._take(data)

    def end(self) -> None:
        """The connection has ended: completes a body without a length, else Failure truncated."""
        if self.head is not None and self._left is None and self._chunks is None:
            self.complete = True
        if not self.complete:
            where = "header" if self.head is None else "body"
            raise Failure(
                Outcome.TRUNCATED,
                f"connection closed inside the {where}, after {self.body.count} bytes of body",
            )

    def _final_head(self) -> Head | None:
        """The head of the answer, once it is complete; interim answers (1xx) are passed over."""
        while True:
            block = self._next_block()
            if block is None:
                return None
            head = parse_head(block, self._limits.header_count)
            if head.status >= 200 or head.status == 101:
                return head

    def _next_block(self) -> bytes | None:
        """The header block at the start of the buffer, once it is complete."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        size = len(buffer) if end < 0 else end + 4
        if end < 0:
            _check_beginning(buffer, self._checked)
        if self._seen + size > self._limits.header_bytes:
            limit = self._limits.header_bytes
            raise Failure(Outcome.TOO_LARGE, f"header is larger than {limit} bytes")
        if end < 0:
            return None
        self._seen += size
        self._buffer = buffer[size:]
        return buffer[:end]

    def _start(self, head: Head) -> None:
        """Begin the body that `head` announces."""
        framing = framing_of(head, self._method)
        self._left = framing.length
        if framing.chunked:
            self._chunks = ChunkDecoder(self.body.write, self._limits.header_bytes)
        connection = head.fields.get("connection", "").lower()
        bounded = framing.chunked or framing.length is not None
        self.reusable = bounded and head.version == "1.1" and "close" not in connection
        if framing.length is not None and framing.length > self._limits.body_bytes:
            limit = self._limits.body_bytes
            raise Failure(
                Outcome.TOO_LARGE, f"Content-Length {framing.length} is over {limit} bytes"
            )

    def _take(self, data: bytes) -> None:
        rest = b""
        if self._chunks is not None:
            rest = self._chunks.feed(data)
            self.complete = self._chunks.done
        elif self._left is None:
            self.body.write(data)
        else:
            self.body.write(data[: self._left])
            rest = data[self._left :]
            self._left -= len(data) - len(rest)
            self.complete = self._left == 0
        if rest:
            raise _malformed(f"{len(rest)} bytes after the end of the answer: {rest[:40]!r}")


def _check_beginning(buffer: bytes, checked: int) -> None:
    """Fail on an incomplete header that no further byte can make good.

    Lines up to the offset `checked` have been looked at before.
    """
    if not b"HTTP/1.".startswith(buffer[:7]):
        raise _malformed(f"not HTTP: starts with {buffer[:40]!r}")
    if _BARE_LF.search(buffer, checked):
        raise _malformed("header line ends without CR")
    status_line, ended, _ = buffer.partition(b"\r\n")
    if ended and not _STATUS_LINE.match(status_line.decode("latin-1")):
        raise _malformed(f"bad status line: {status_line[:80]!r}")


@functools.lru_cache(maxsize=8)
def parse_head(block: bytes, max_fields: int) -> Head:
    """The header block `block` (without its empty line) as a Head; Failure when it is bad.

    A server says nearly the same each time, so the last few answers are remembered.
    """
    status_line, *lines = block.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.match(status_line)
    if match is None:
        raise _malformed(f"bad status line: {status_line[:80]!r}")
    if len(lines) > max_fields:
        raise Failure(Outcome.TOO_LARGE, f"more than {max_fields} header fields")
    fields: dict[str, str] = {}
    for line in lines:
        field = _HEADER.match(line)
        if field is None:
            raise _malformed(f"bad header field: {line[:80]!r}")
        name, value = field.groups()
        # Stripped here: an expression that did it could be made to take quadratic time.
        name, value = name.lower(), value.strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Head(match.group(1), int(match.group(2)), fields)


def _malformed(reason: str) -> Failure:
    return Failure(Outcome.MALFORMED_RESPONSE, reason)
