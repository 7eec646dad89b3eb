"""The server's end of a node process's socket, on the event loop."""

import asyncio
import itertools
import os
import socket
from collections.abc import Callable, Sequence

from infra.embedded.node import wire

OnMessage = Callable[[wire.Message, list[int]], None]


class NodeError(Exception):
    """The node's processes could not do what was asked; the message says why."""


class Channel:
    """Messages to one process; answers are matched to requests by id."""

    def __init__(self, end: socket.socket, on_message: OnMessage | None = None) -> None:
        """`on_message` takes what is no answer."""
        self._end = end
        self._on_message = on_message
        self.on_end: Callable[[], None] = lambda: None  # told when the process has ended
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Future[tuple[wire.Message, list[int]]]] = {}
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        self._loop.add_reader(end.fileno(), self._readable)

    def send(self, message: wire.Message, fds: Sequence[int] = ()) -> None:
        """Send a message that has no answer; raises NodeError when the process is gone."""
        try:
            wire.send(self._end, message, fds)
        except OSError as error:
            raise NodeError(f"the node process does not answer: {error}") from error

    async def request(self, message: wire.Message) -> tuple[wire.Message, list[int]]:
        """Send a message and wait for its answer; raises NodeError when it is an error."""
        identity = str(next(self._numbers))
        future = self._waiting[identity] = self._loop.create_future()
        self.send({**message, "id": identity})
        answer, fds = await future
        if "error" in answer:
            raise NodeError(str(answer["error"]))
        return answer, fds

    async def first(self) -> wire.Message:
        """The process's greeting, before any request."""
        future: asyncio.Future[tuple[wire.Message, list[int]]] = self._loop.create_future()
        self._waiting[""] = future
        message, _ = await future
        return message

    def close(self) -> None:
        """Hang up; the process ends."""
        self._loop.remove_reader(self._end.fileno())
        self._end.close()

    def _readable(self) -> None:
        received = wire.receive(self._end)
        if received is None:
            self._hung_up()
            return
        message, fds = received
        future = self._waiting.pop("" if "" in self._waiting else message.get("id", ""), None)
        if future is not None and not future.done():
            future.set_result((message, fds))
        elif self._on_message is not None:
            self._on_message(message, fds)
        else:
            for fd in fds:
                os.close(fd)

    def _hung_up(self) -> None:
        self._loop.remove_reader(self._end.fileno())
        self.ended.set()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NodeError("the node process ended"))
        self._waiting.clear()
        self.on_end()
