"""The probe engine beside others on the same server: ``python -m tests.bench.bench_agent``.

The engine is the file that the devbox runs. Every prober runs on one core of its own and the server
on another. Rounds alternate between the probers, and the median of the rounds counts, so that a
noisy neighbour hits all of them. What is not installed (pycurl, prometheus-blackbox-exporter) is
skipped with a word. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probes.build import cached_agent
from tests.bench.other_probers import BARE, HTTPX, HTTPX_SHARED, PYCURL, TIMER

CORES = sorted(os.sched_getaffinity(0))
PROBER_CORE, SERVER_CORE = CORES[-1], CORES[0]
ROUNDS = 5
SEQUENTIAL = 1_000
THROUGHPUT = 10_000


@dataclass(frozen=True)
class Result:
    """One comparison: `value` is better on the side of `target` that `at_least` says."""

    what: str
    value: float
    target: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return (
            f"{'ok    ' if self.met else 'MISSED'} {self.what:<58} "
            f"{self.value:9.2f}  (target {sign} {self.target:g})"
        )


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes started in the block run on `core`."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


@contextlib.contextmanager
def server() -> Iterator[int]:
    script = Path(__file__).with_name("agent_server.py")
    with on_core(SERVER_CORE):
        process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@dataclass(frozen=True)
class Run:
    """What one run of the zipapp said and cost."""

    summary: dict[str, Any]
    cpu_s: float
    wall_s: float

    @property
    def p50_us(self) -> float:
        return float(self.summary["latency"]["ok"]["total"]["percentiles"]["p50"]) / 1e3

    @property
    def late_p99_us(self) -> float:
        return float(self.summary["lateness"]["percentiles"]["p99"]) / 1e3


def run_agent(agent: Path, port: int, *, concurrency: int, requests: int, rate: float) -> Run:
    target = {"name": "bench", "url": f"http://127.0.0.1:{port}/"}
    plan = {
        "concurrency": concurrency,
        "targets": [{**target, "requests": requests, "rate": rate, "warmup": 50}],
    }
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with on_core(PROBER_CORE):
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(agent), "-"],
            input=json.dumps(plan),
            capture_output=True,
            text=True,
            check=True,
        )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (summary,) = json.loads(done.stdout.splitlines()[-1])["targets"]
    assert summary["good"] == requests, summary["by_outcome"]
    return Run(summary, cpu, wall)


def in_child(code: str, *arguments: object) -> Any:
    """What `code` prints as JSON, run on the prober's core."""
    with on_core(PROBER_CORE):
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


@contextlib.contextmanager
def blackbox(folder: Path) -> Iterator[tuple[int, int]]:
    """The exporter on the prober's core: its process id and port."""
    binary = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    if binary is None:
        raise RuntimeError("apt-get install prometheus-blackbox-exporter")
    config = folder / "blackbox.yml"
    config.write_text(
        "modules:\n  plain:\n    prober: http\n    http: {preferred_ip_protocol: ip4}\n"
    )
    port = 19115
    with on_core(PROBER_CORE):
        process = subprocess.Popen(
            [binary, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "GOMAXPROCS": "1"},
        )
    with process:
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/-/healthy", timeout=1)
                    break
            yield process.pid, port
        finally:
            process.terminate()


def cpu_of(pid: int) -> float:
    """Seconds of CPU that `pid` has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def blackbox_per_cpu_second(pid: int, exporter: int, target: int, count: int) -> float:
    """Probes for each second of the exporter's CPU, asked over one connection."""
    code = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for _ in range(int(sys.argv[3])):
    connection.request("GET", f"/probe?module=plain&target=http://127.0.0.1:{sys.argv[2]}/")
    answer = connection.getresponse()
    assert b"probe_success 1" in answer.read()
"""
    before = cpu_of(pid)
    with on_core(SERVER_CORE):
        subprocess.run(
            [sys.executable, "-c", code, str(exporter), str(target), str(count)], check=True
        )
    return count / (cpu_of(pid) - before)


def throughput(agent: Path, port: int, folder: Path) -> Iterator[Result]:
    ours, walls, theirs = [], [], []
    with contextlib.ExitStack() as stack:
        exporter = None
        try:
            exporter = stack.enter_context(blackbox(folder))
        except RuntimeError as error:
            print(f"skip   blackbox exporter: {error}")
        for _ in range(ROUNDS):
            run = run_agent(agent, port, concurrency=32, requests=THROUGHPUT, rate=50_000)
            ours.append(THROUGHPUT / run.cpu_s)
            walls.append(THROUGHPUT / run.wall_s)
            if exporter:
                theirs.append(blackbox_per_cpu_second(*exporter, port, 500))
    yield Result("fresh probes/s on one core (wall, start-up included)",
                 statistics.median(walls), 3000, True)  # fmt: skip
    print(f"       wall by round: {', '.join(f'{wall:.0f}' for wall in walls)}")
    yield Result("fresh probes per CPU second", statistics.median(ours), 3000, True)
    if theirs:
        print(f"       blackbox exporter: {statistics.median(theirs):.0f} probes per CPU second")
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        yield Result("probes per CPU second / blackbox exporter's", ratio, 3, True)


OTHERS = (
    ("bare socket", BARE, SEQUENTIAL),
    ("pycurl", PYCURL, SEQUENTIAL),
    ("httpx", HTTPX, 50),
    ("httpx, one client", HTTPX_SHARED, SEQUENTIAL),
)


def overhead(agent: Path, port: int) -> Iterator[Result]:
    """The time that a fresh probe takes, one after the other: medians over all rounds."""
    url = f"http://127.0.0.1:{port}/"
    ours: list[float] = []
    theirs: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        run = run_agent(agent, port, concurrency=1, requests=SEQUENTIAL, rate=50_000)
        ours.append(run.p50_us)
        for name, code, count in OTHERS:
            try:
                theirs.setdefault(name, []).append(in_child(code, url, count))
            except RuntimeError as error:
                print(f"skip   {name}: {error}")
    rows = {"agent": ours, **theirs}
    medians = {name: statistics.median(row) for name, row in rows.items() if row}
    print("       p50 us: " + ", ".join(f"{name} {value:.0f}" for name, value in medians.items()))
    for name, target in (("pycurl", 1.2), ("httpx", 0.1)):
        if name in medians:
            ratio = statistics.median(a / b for a, b in zip(ours, theirs[name], strict=True))
            yield Result(f"median time of a fresh probe / {name}'s", ratio, target, False)


def lateness(agent: Path, port: int) -> Iterator[Result]:
    ours, timers = [], []
    for _ in range(ROUNDS):
        timers.append(in_child(TIMER, 200, 600))
        run = run_agent(agent, port, concurrency=64, requests=600, rate=200)
        ours.append(run.late_p99_us)
    print(f"       p99 us late: agent {statistics.median(ours):.0f}, "
          f"timer {statistics.median(timers):.0f}")  # fmt: skip
    ratio = statistics.median(a / b for a, b in zip(ours, timers, strict=True))
    yield Result("start error at 200/s: p99 / a bare timer loop's", ratio, 2, False)


def main() -> int:
    with tempfile.TemporaryDirectory() as name, server() as port:
        agent = cached_agent()
        met = True
        for part in (
            throughput(agent, port, Path(name)),
            overhead(agent, port),
            lateness(agent, port),
        ):
            for result in part:
                print(result, flush=True)
                met = met and result.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
