"""An exec session: a program's streams as channels of one WebSocket.

Each message is a channel number and bytes: 0 to the program, 1 and 2 from it, 3 the final Status,
255 (protocol v5) closes the channel that its second byte names.
"""

import asyncio
import os
from typing import Any

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket, WebSocketDisconnect

from infra.embedded.api import reply
from infra.embedded.errors import StatusError
from infra.embedded.kubelet import ExecStreams, Kubelet

_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
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
        stdin, stdin_far = _pipe(writes=True)
        stdout, stdout_far = _pipe(writes=False)
        stderr, stderr_far = _pipe(writes=False)
        if not self._wants["stdin"]:
            os.close(stdin)
            stdin = -1
        pumps = [
            asyncio.create_task(self._send(stdout, _STDOUT)),
            asyncio.create_task(self._send(stderr, _STDERR)),
        ]
        feeding = asyncio.create_task(self._feed(stdin))
        streams = ExecStreams(stdin_far, stdout_far, stderr_far)
        try:
            status = await _outcome(kubelet, namespace, pod, container, argv, streams)
        finally:
            for descriptor in (stdin_far, stdout_far, stderr_far):
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

    async def _feed(self, descriptor: int) -> None:
        """What the client sends, until it closes the channel or goes."""
        try:
            while True:
                message = await self._websocket.receive_bytes()
                if message[:1] == bytes([_STDIN]) and descriptor >= 0:
                    await _write(descriptor, message[1:])
                elif message[:2] == bytes([_CLOSE, _STDIN]) and descriptor >= 0:
                    os.close(descriptor)
                    descriptor = -1
        except (WebSocketDisconnect, RuntimeError, KeyError, OSError):
            self._gone = self._gone or self._websocket.client_state.name == "DISCONNECTED"
        finally:
            if descriptor >= 0:
                os.close(descriptor)


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
