"""idleTimeoutSeconds: an answer that pauses for too long is ended, as queue-proxy ends it.

Its body ends with `request timeout`; where nothing has been answered yet it becomes a 504 (recorded
in 05-gateway).
"""

import asyncio
from enum import Enum, auto

from infra.embedded.kubelet.relay import BLOCK

MESSAGE = b"request timeout"
TIMED_OUT = (
    b"HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(MESSAGE), MESSAGE)
)
_SWITCHING = 101


class _State(Enum):
    HEAD = auto()
    LENGTH = auto()  # a body of so many bytes
    SIZE = auto()  # the line that begins a chunk
    CHUNK = auto()
    DONE = auto()
    OPAQUE = auto()  # another protocol, or a body that only the end of the connection ends


class Framing:
    """Where in an HTTP/1.1 answer the bytes seen so far end."""

    def __init__(self) -> None:
        self._state = _State.HEAD
        self._left = 0
        self._buffer = b""
        self._begun = False

    @property
    def may_pause(self) -> bool:
        """Whether a pause is nobody's business any longer."""
        return self._state in (_State.DONE, _State.OPAQUE)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the answer."""
        self._begun = True
        self._buffer += data
        while self._step():
            pass

    def ending(self) -> bytes:
        """What ends the answer here with a message, as far as its form still allows one."""
        if not self._begun:
            return TIMED_OUT
        if self._state is _State.LENGTH:
            return MESSAGE[: self._left]
        if self._state is _State.SIZE and not self._buffer:
            return b"%x\r\n%b\r\n0\r\n\r\n" % (len(MESSAGE), MESSAGE)
        return b""

    def _step(self) -> bool:
        """One step as far as the buffer allows; False when it needs more."""
        if self._state is _State.HEAD:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if found:
                self._buffer = rest
                self._state, self._left = _body(head)
            return bool(found)
        if self._state is _State.SIZE:
            line, found, rest = self._buffer.partition(b"\r\n")
            if found:
                self._buffer = rest
                self._chunk(line)
            return bool(found)
        if self._state in (_State.LENGTH, _State.CHUNK):
            taken = min(self._left, len(self._buffer))
            self._left -= taken
            self._buffer = self._buffer[taken:]
            if self._left == 0:
                self._state = _State.DONE if self._state is _State.LENGTH else _State.SIZE
                return True
            return False
        self._buffer = b""
        return False

    def _chunk(self, line: bytes) -> None:
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            self._state = _State.OPAQUE
            return
        self._state = _State.CHUNK if size else _State.DONE
        self._left = size + len(b"\r\n")


def _body(head: bytes) -> tuple[_State, int]:
    """How the body after this head is framed."""
    first, *lines = head.decode("latin-1").lower().split("\r\n")
    status = first.split(" ")[1:2]
    if status and status[0].startswith("1"):
        return (_State.OPAQUE if status[0] == str(_SWITCHING) else _State.HEAD), 0
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    if "chunked" in headers.get("transfer-encoding", ""):
        return _State.SIZE, 0
    length = headers.get("content-length", "")
    return (_State.LENGTH, int(length)) if length.isdecimal() else (_State.OPAQUE, 0)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: float) -> None:
    """Carry an answer; one that pauses for more than `limit` real seconds is ended.

    Raises OSError.
    """
    framing = Framing()
    while True:
        try:
            async with asyncio.timeout(None if framing.may_pause else limit):
                data = await reader.read(BLOCK)
        except TimeoutError:
            writer.write(framing.ending())
            await writer.drain()
            raise ConnectionAbortedError("the app pauses for too long") from None
        if not data:
            break
        framing.feed(data)
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof() and not writer.is_closing():
        writer.write_eof()
