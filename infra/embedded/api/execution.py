"""An exec session: a program's streams as channels of one WebSocket.

Each message is a channel number and bytes: 0 to the program, 1 and 2 from it, 3 the final Status,
4 the size of the client's terminal, 255 (protocol v5) closes the channel that its second byte
names.
"""

import asyncio
import errno
import json
import os
import termios
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket, WebSocketDisconnect

from infra.embedded.api import reply
from infra.embedded.errors import StatusError
from infra.embedded.kubelet import ExecStreams, Kubelet

_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_END_OF_INPUT = b"\x04"  # Ctrl-D: how a terminal says it
_BLOCK = 32 * 1024


class Session:
    """One exec session."""

    def __init__(self, websocket: WebSocket, query: QueryParams) -> None:
        self._websocket = websocket
        self._wants = {name: query.get(name, "") in ("1", "true") for name in ("stdin", "tty")}
        self._gone = False

    async def run(
        self, kubelet: Kubelet, namespace: str, pod: str, container: str, argv: tuple[str, ...]
    ) -> None:
        """Run the program to its end and report how it ended."""
        stdio = _terminal() if self._wants["tty"] else _pipes()
        if not self._wants["stdin"]:
            os.close(stdio.stdin)
            stdio = replace(stdio, stdin=-1)
        pumps = [
            asyncio.create_task(self._send(descriptor, channel))
            for descriptor, channel in stdio.outputs
        ]
        feeding = asyncio.create_task(self._feed(stdio))
        try:
            status = await _outcome(kubelet, namespace, pod, container, argv, stdio.far)
        finally:
            for descriptor in {stdio.far.stdin, stdio.far.stdout, stdio.far.stderr}:
                os.close(descriptor)
        await asyncio.gather(*pumps)
        feeding.cancel()
        await self._message(_ERROR, reply.dump(status))
        if not self._gone:
            await self._websocket.close()

    async def _send(self, descriptor: int, channel: int) -> None:
        """Everything that the program writes, until nobody holds the other end any more."""
        while data := await _read(descriptor):
            await self._message(channel, data)
        os.close(descriptor)

    async def _message(self, channel: int, data: bytes) -> None:
        if self._gone:
            return
        try:
            await self._websocket.send_bytes(bytes([channel]) + data)
        except (WebSocketDisconnect, RuntimeError):
            self._gone = True

    async def _feed(self, stdio: "_Stdio") -> None:
        """What the client sends, until it closes the channel or goes."""
        descriptor = stdio.stdin
        try:
            while True:
                message = await self._websocket.receive_bytes()
                channel, content = message[:1], message[1:]
                if channel == bytes([_RESIZE]) and stdio.terminal:
                    _resize(stdio.outputs[0][0], content)
                elif channel == bytes([_STDIN]) and descriptor >= 0:
                    await _write(descriptor, content)
                elif message[:2] == bytes([_CLOSE, _STDIN]) and descriptor >= 0:
                    if stdio.terminal:
                        await _write(descriptor, _END_OF_INPUT)
                    os.close(descriptor)
                    descriptor = -1
        except (WebSocketDisconnect, RuntimeError, KeyError, OSError):
            self._gone = self._gone or self._websocket.client_state.name == "DISCONNECTED"
        finally:
            if descriptor >= 0:
                os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Stdio:
    """This side's descriptors, and those of the program; `outputs` with their channels."""

    stdin: int
    outputs: Sequence[tuple[int, int]]
    far: ExecStreams
    terminal: bool = False


def _pipes() -> _Stdio:
    stdin, stdin_far = _pipe(writes=True)
    stdout, stdout_far = _pipe(writes=False)
    stderr, stderr_far = _pipe(writes=False)
    far = ExecStreams(stdin_far, stdout_far, stderr_far)
    return _Stdio(stdin, ((stdout, _STDOUT), (stderr, _STDERR)), far)


def _terminal() -> _Stdio:
    """A pseudo terminal: both ways, and standard error is standard output."""
    near, far = os.openpty()
    os.set_blocking(near, False)
    return _Stdio(os.dup(near), ((near, _STDOUT),), ExecStreams(far, far, far), terminal=True)


def _resize(terminal: int, content: bytes) -> None:
    try:
        size = json.loads(content)
        termios.tcsetwinsize(terminal, (int(size["Height"]), int(size["Width"])))
    except (ValueError, KeyError, TypeError, termios.error):
        return  # a size that makes no sense leaves the terminal as it is


async def _outcome(
    kubelet: Kubelet,
    namespace: str,
    pod: str,
    container: str,
    argv: tuple[str, ...],
    streams: ExecStreams,
) -> dict[str, Any]:
    try:
        code = await kubelet.exec(namespace, pod, container, argv, streams)
    except StatusError as error:
        return error.status()
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _pipe(*, writes: bool) -> tuple[int, int]:
    """This side's end, which does not block, and the program's end."""
    read, write = os.pipe()
    near, far = (write, read) if writes else (read, write)
    os.set_blocking(near, False)
    return near, far


async def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, _BLOCK)
        except BlockingIOError:
            await _ready(descriptor, write=False)
        except OSError as error:
            if error.errno == errno.EIO:  # a terminal that no program has open any more
                return b""
            raise


async def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            await _ready(descriptor, write=True)


async def _ready(descriptor: int, *, write: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    add = loop.add_writer if write else loop.add_reader
    remove = loop.remove_writer if write else loop.remove_reader
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)
