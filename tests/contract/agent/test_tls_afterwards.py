"""What a TLS server may do once the handshake is over, shown by OpenSSL's own server."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from termios import FIONREAD
from threading import Thread

import pytest

from probes.agent.sample import Sample
from tests.contract.agent.certificates import Authority
from tests.contract.agent.running import probe
from tests.support.wait import eventually

OPENSSL = shutil.which("openssl")
TIMEOUT = 3.0
PATIENCE = 30.0

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@dataclass
class Server:
    """`openssl s_server`, whose operator types."""

    process: subprocess.Popen[str]
    said: Queue[str]
    port: int = 0

    def hear(self, pattern: str) -> re.Match[str]:
        """Wait for a line."""
        while True:
            try:
                line = self.said.get(timeout=PATIENCE)
            except Empty:
                pytest.fail(f"openssl never said {pattern!r}")
            if found := re.search(pattern, line):
                return found

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def type_alone(self, text: str) -> None:
        """Type, and wait until it was read: what is read with a command is forgotten."""
        self.type(text)
        assert self.process.stdin is not None
        pipe = self.process.stdin.fileno()
        eventually(lambda: fcntl.ioctl(pipe, FIONREAD, bytes(4)) == bytes(4), timeout=PATIENCE)


def _pass_on(lines: Iterable[str], heard: Queue[str]) -> None:
    for line in lines:
        heard.put(line)


@contextmanager
def s_server(leaf: Path, version: str) -> Iterator[Server]:
    argv = [
        str(OPENSSL),
        "s_server",
        "-accept",
        "127.0.0.1:0",
        version,
        "-cert",
        str(leaf),
    ]
    with subprocess.Popen(
        [*argv, "-key", str(leaf)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    ) as process:
        server = Server(process, Queue())
        assert process.stdout is not None
        reader = Thread(target=_pass_on, args=(process.stdout, server.said))
        reader.start()
        try:
            server.port = int(server.hear(r"ACCEPT \S+:(\d+)")[1])
            yield server
        finally:
            process.kill()
            reader.join(PATIENCE)


def meanwhile(
    server: Server,
    authority: Authority,
    talk: Callable[[Server], None],
    *,
    timeout: float = TIMEOUT,
) -> Sample:
    """The sample of an attempt whose server's operator begins to type once it is asked."""
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(
            probe,
            f"https://good.test:{server.port}/",
            tls={"ca_file": str(authority.pem)},
            timeout=timeout,
            resolve=[f"good.test:{server.port}:127.0.0.1"],
        )
        server.hear("GET / HTTP/1.1")
        talk(server)
        return attempt.result(timeout=PATIENCE)


@pytest.mark.parametrize("command", ["r", "R"])
def test_a_renegotiation_is_refused_and_keeps_nobody_waiting(
    authority: Authority, command: str
) -> None:
    with s_server(authority.leaf("good.test"), "-tls1_2") as server:
        sample = meanwhile(server, authority, lambda server: server.type(f"{command}\n"))
    # OpenSSL's server gives the connection up; another one may wait, and then the timeout counts.
    assert sample.outcome in ("tls_error", "wait_timeout", "reset", "closed_without_response")
    assert sample.duration_s < PATIENCE


@pytest.mark.parametrize("command", ["K", "k"], ids=["ours too", "theirs only"])
def test_new_keys_on_the_way_change_nothing(authority: Authority, command: str) -> None:
    """TLS 1.3's KeyUpdate, before the answer and in the middle of it."""

    def talk(server: Server) -> None:
        server.type_alone(f"{command}\n")
        server.type_alone("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
        server.type_alone(f"{command}\n")
        server.type("hello world\n")

    with s_server(authority.leaf("good.test"), "-tls1_3") as server:
        sample = meanwhile(server, authority, talk, timeout=PATIENCE)
    assert (sample.outcome, sample.body_head) == ("ok", "hello world\n"), sample.detail
