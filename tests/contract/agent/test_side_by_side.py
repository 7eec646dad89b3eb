"""The engine beside curl and the blackbox exporter: the same server, the same findings.

Each server takes its time in one phase, so that a phase that one of them books elsewhere shows.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from probes.agent.outcomes import HOP_OF, Outcome
from probes.agent.sample import Sample
from tests.contract.agent.cases import OK, answers
from tests.contract.agent.running import probe
from tests.contract.agent.servers import Handler, Peer, Server, closed_port, serve, silent_listener
from tests.support.wait import eventually

SLOW = 0.3
# Between two tools, in seconds: far less than the slow phase takes.
TOLERANCE = 0.1

_EXPORTER = next(
    filter(None, map(shutil.which, ("prometheus-blackbox-exporter", "blackbox_exporter"))), None
)
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
needs_exporter = pytest.mark.skipif(
    _EXPORTER is None, reason="prometheus-blackbox-exporter is not installed"
)


def slow_to_answer(peer: Peer) -> None:
    peer.request()
    peer.stopped.wait(SLOW)
    peer.send(OK)


def slow_to_end(peer: Peer) -> None:
    peer.request()
    peer.send(OK[:-2])
    peer.stopped.wait(SLOW)
    peer.send(OK[-2:])


CURL_SAYS = {0: "none", 7: "connect", 28: "wait", 52: "wait", 18: "transfer"}
Place = tuple[Callable[[], AbstractContextManager[Server]], str]
PLACES: dict[str, Place] = {
    "good": (lambda: serve(answers(OK)), "none"),
    "refused": (closed_port, "connect"),
    "silent": (silent_listener, "wait"),
    "closes": (lambda: serve(answers()), "wait"),
    "cut": (lambda: serve(answers(OK[:-2])), "transfer"),
}


def beside(server: Server) -> Sample:
    return probe(f"http://127.0.0.1:{server.port}/", timeout=2)


def curl(server: Server) -> dict[str, float]:
    """What `curl -w` says of one request: its exit code and its times."""
    done = subprocess.run(
        ["curl", "-q", "-s", "-o", "/dev/null", "--noproxy", "*", "--max-time", "2",
         "-w", "%{json}", f"http://127.0.0.1:{server.port}/"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    said: dict[str, float] = json.loads(done.stdout)
    return {**said, "exit": done.returncode}


@needs_curl
@pytest.mark.parametrize("place", PLACES)
def test_curl_sees_the_same_hop_break(place: str) -> None:
    make, hop = PLACES[place]
    with make() as server:
        assert beside(server).hop == hop
        assert CURL_SAYS[int(curl(server)["exit"])] == hop


@needs_curl
@pytest.mark.parametrize(("behave", "phase"), [(slow_to_answer, "wait"), (slow_to_end, "transfer")])
def test_curl_books_the_time_in_the_same_phase(behave: Handler, phase: str) -> None:
    def agree() -> bool:
        ours, theirs = beside(server), curl(server)
        assert ours.phases[phase] >= SLOW * 0.9
        booked = {
            "connect": theirs["time_connect"] - theirs["time_namelookup"],
            "wait": theirs["time_starttransfer"] - theirs["time_pretransfer"],
            "transfer": theirs["time_total"] - theirs["time_starttransfer"],
        }
        return booked == {name: near(ours.phases[name]) for name in booked}

    with serve(behave) as server:
        eventually(agree, timeout=60, what="phases like curl's")


def near(seconds: float) -> object:
    """Anything within the tolerance of `seconds`; whoever asks may try again."""
    return pytest.approx(seconds, abs=TOLERANCE)


@contextmanager
def exporter(folder: Path) -> Iterator[int]:
    """The exporter's port; it has no way to choose a free one by itself."""
    assert _EXPORTER is not None
    config = folder / "blackbox.yml"
    config.write_text(
        "modules:\n  http:\n    prober: http\n    timeout: 2s\n"
        "    http: {preferred_ip_protocol: ip4}\n"
    )
    with closed_port() as free:
        port = free.port
    argv = [_EXPORTER, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _answers(port), timeout=60, what="the exporter")
            yield port
        finally:
            process.kill()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/healthy", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def exported(port: int, server: Server) -> dict[str, float]:
    """The metrics of one probe of `server` by the exporter."""
    url = f"http://127.0.0.1:{port}/probe?module=http&target=http://127.0.0.1:{server.port}/"
    with urllib.request.urlopen(url, timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


@needs_exporter
def test_the_blackbox_exporter_agrees(tmp_path: Path) -> None:
    with exporter(tmp_path) as port:
        for make, hop in PLACES.values():
            with make() as server:
                assert beside(server).hop == hop
                theirs = exported(port, server)
            assert theirs["probe_success"] == (hop == HOP_OF[Outcome.OK]), hop
        with serve(slow_to_answer) as server:
            eventually(
                lambda: (
                    exported(port, server)['probe_http_duration_seconds{phase="processing"}']
                    == near(beside(server).phases["wait"])
                ),
                timeout=60,
                what="a wait like the exporter's",
            )
