"""`vpm probe` as it is typed: at a terminal, for Prometheus, into a pipe, and ended by others."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from harness.core.verdict import ExitCode
from tests.support.cluster import Cluster, serve
from tests.support.product import Product
from tests.support.runs import ROOT, environment
from tests.support.wait import eventually

_CTRL_C = b"\x03"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the READY service `echo`."""
    with serve(tmp_path_factory.mktemp("live") / "state", "live") as running:
        Product(running, "default").up()
        yield running


def command(cluster: Cluster, *options: str) -> list[str]:
    where = ("--cluster=existing", "--context=embedded-live", f"--kubeconfig={cluster.kubeconfig}")
    return [sys.executable, "-m", "harness.cli.main", "probe", "echo", *where, *options]


class Terminal:
    """A command at a terminal of 80 columns and 24 lines."""

    def __init__(self, argv: list[str], home: Path) -> None:
        near, far = pty.openpty()
        self._near = near
        self._said = bytearray()
        # In a session of its own, with this terminal: Ctrl-C then comes from the terminal.
        login = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        login += "os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", login, *argv],
            cwd=ROOT,
            env={**environment(home), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
            stdin=far,
            stdout=far,
            stderr=far,
        )
        os.close(far)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        """What was shown so far, without colours and movements of the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._said.decode(errors="replace"))

    def press(self, key: bytes) -> None:
        os.write(self._near, key)

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(10)
            os.close(self._near)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._near, 65536)
            except OSError:
                return  # nobody has the other end open any more
            if not data:
                return
            self._said += data


def leftovers(cluster: Cluster) -> str:
    done = cluster.kubectl("get", "jobs,configmaps", "-n", "default", "-o", "name").out
    return "\n".join(line for line in done.splitlines() if "vpm-probe" in line)


@pytest.mark.parametrize(("wanted", "code"), [("200", ExitCode.PASS), ("204", 3)])
def test_a_watch_stays_live_until_ctrl_c(
    cluster: Cluster, tmp_path: Path, wanted: str, code: int
) -> None:
    options = ("--vantage=gateway,in-cluster", "--requests=3", "--watch", "--interval=200ms")
    shown = Terminal(command(cluster, *options, f"--status={wanted}"), tmp_path)
    try:
        verdict = "PASS default/echo service" if wanted == "200" else "INCONCLUSIVE default/echo"
        eventually(lambda: shown.text.count(verdict) >= 3, timeout=120)
        assert shown.process.poll() is None
        shown.press(_CTRL_C)
    finally:
        ended = shown.end()
    assert ended == code
    assert "Traceback" not in shown.text
    assert leftovers(cluster) == ""


def test_ctrl_c_in_the_first_round_says_so(cluster: Cluster, tmp_path: Path) -> None:
    options = ("--vantage=gateway,in-cluster", "--requests=3000", "--watch")
    shown = Terminal(command(cluster, *options), tmp_path)
    try:
        eventually(lambda: "job" in leftovers(cluster), timeout=60)
        shown.press(_CTRL_C)
    finally:
        ended = shown.end()
    assert ended == 130
    assert "interrupted" in shown.text
    assert "Traceback" not in shown.text
    assert leftovers(cluster) == ""


@contextmanager
def started(argv: list[str], home: Path) -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(argv, cwd=ROOT, env=environment(home), text=True, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scraped(port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except (URLError, OSError):
        return ""


def value(text: str, name: str) -> float:
    """The value of a metric's first series; -1 while there is none."""
    found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else -1.0


def test_metrics_are_scraped_while_it_runs(cluster: Cluster, tmp_path: Path) -> None:
    port = free_port()
    options = ("--vantage=gateway", "--requests=3", f"--metrics=:{port}", "--interval=200ms")
    with started(command(cluster, *options, "--json"), tmp_path) as process:
        eventually(lambda: value(scraped(port), "vpm_probe_valid_total") >= 6, timeout=120)
        text = scraped(port)
        assert value(text, "probe_success") == 1
        for name in ("probe_duration_seconds", "probe_http_status_code"):
            assert value(text, name) > 0
        assert 'phase="processing"' in text
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == ExitCode.PASS


def test_a_service_that_goes_leaves_no_old_success_behind(cluster: Cluster, tmp_path: Path) -> None:
    product = Product(cluster, "default")
    product.up("passing")
    argv = ["passing" if word == "echo" else word for word in command(cluster)]
    port = free_port()
    options = ["--vantage=gateway", "--requests=3", f"--metrics=:{port}", "--interval=200ms"]
    with started([*argv, *options, "--json"], tmp_path) as process:
        eventually(lambda: value(scraped(port), "probe_success") == 1, timeout=120)
        cluster.kubectl("delete", "ksvc", "passing", "-n", "default")
        eventually(lambda: value(scraped(port), "vpm_probe_lost_rounds_total") >= 1, timeout=60)
        assert value(scraped(port), "probe_success") == -1
        product.up("passing")
        eventually(lambda: value(scraped(port), "probe_success") == 1, timeout=60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert "there is no KService default/passing" in said
    assert "Traceback" not in said


def test_json_brings_the_logs_behind_failed_attempts(cluster: Cluster, tmp_path: Path) -> None:
    options = ("--vantage=gateway", "--requests=3", "--path=/delay?ms=soon", "--json")
    with started(command(cluster, *options), tmp_path) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INCONCLUSIVE
    seen = json.loads(said)
    named = {log["path"] for probe in seen["probes"] for log in probe["logs"]}
    assert set(seen["logs"]) == named
    assert any("user-container" in path for path in named)


def test_a_reader_that_leaves_is_no_accident(cluster: Cluster, tmp_path: Path) -> None:
    options = ("--vantage=gateway", "--requests=3", "--json", "--watch", "--interval=100ms")
    with started(command(cluster, *options), tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert json.loads(line)["verdict"] == "PASS"
        process.stdout.close()
        assert process.wait(60) == ExitCode.ERROR
        assert "Traceback" not in process.stderr.read()


def test_sigterm_leaves_no_job(cluster: Cluster, tmp_path: Path) -> None:
    options = ("--vantage=devbox,gateway,in-cluster", "--requests=3000")
    with started(command(cluster, *options), tmp_path) as process:
        eventually(lambda: "job" in leftovers(cluster), timeout=60)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert leftovers(cluster) == ""
