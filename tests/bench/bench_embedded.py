"""The embedded cluster's speed and size: ``python -m tests.bench.bench_embedded [SERVICES...]``.

Prints each number beside its target.  For each further number of services (100, 300) a cluster of
its own gets that many in one apply, and the time per service is compared with that of the few.
Exit code 1 when a target is missed: the numbers only mean something on a machine that does nothing
else.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster import Cluster, start, stop

MANY, HUNDRED = 20, 100
IDLE_SECONDS = 5.0
ROUNDS = 10
REQUESTS = 500
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Result:
    """A number that should be at most the target."""

    what: str
    value: float
    unit: str
    target: float | None = None

    @property
    def met(self) -> bool:
        return self.target is None or self.value <= self.target

    def __str__(self) -> str:
        if self.target is None:
            return f"{self.what:<52} {self.value:9.2f} {self.unit}"
        verdict = "ok" if self.met else "MISSED"
        return f"{self.what:<52} {self.value:9.2f} {self.unit} (at most {self.target:g}) {verdict}"


def service(name: str) -> dict[str, Any]:
    container = {"image": "ghcr.io/knative/helloworld-go:latest"}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def until_ready(cluster: Cluster, *names: str) -> float:
    """Seconds from the start of apply until all services are READY."""
    begin = time.monotonic()
    cluster.apply(*(service(name) for name in names))
    wait = ("wait", "--for=condition=Ready", "--timeout=300s")
    done = cluster.kubectl(*wait, *(f"ksvc/{name}" for name in names), timeout=310)
    assert done.code == 0, done.err
    return time.monotonic() - begin


def until_all_ready(cluster: Cluster, *names: str) -> float:
    """Like `until_ready`, seen by one watch: `kubectl wait` takes 0.1 s more for each name."""
    begin, waiting = time.monotonic(), set(names)
    cluster.apply(*(service(name) for name in names))
    path = "/apis/serving.knative.dev/v1/namespaces/default/services?watch=true&timeoutSeconds=300"
    with cluster.http() as http, http.stream("GET", path, timeout=310) as answer:
        for line in answer.iter_lines():
            seen = json.loads(line)["object"]
            if is_ready(seen):
                waiting.discard(seen["metadata"]["name"])
            if not waiting:
                return time.monotonic() - begin
    raise AssertionError(f"not READY: {sorted(waiting)}")


def is_ready(service: dict[str, Any]) -> bool:
    conditions = service.get("status", {}).get("conditions", ())
    return any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(process: int, field: str = "Rss") -> float:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def descendants(process: int) -> Iterator[int]:
    """The processes below one, whatever process namespace they are in."""
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        yield int(child)
        yield from descendants(int(child))


def exchange_ms(address: tuple[str, int], host: str) -> float:
    """Median milliseconds of a request on a kept connection."""
    raw = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    times = []
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(REQUESTS):
            begin = time.perf_counter()
            connection.sendall(raw)
            assert connection.recv(65536)
            times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


def get_ms(cluster: Cluster) -> float:
    """Median milliseconds of a GET of one object on one kept TLS connection.

    The client is the standard library's: a richer one takes longer than the server does.
    """
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(server["certificate-authority-data"]).decode()
    host, port = server["server"].removeprefix("https://").split(":")
    trust = ssl.create_default_context(cadata=authority)
    headers = {"Authorization": f"Bearer {user['token']}", "Accept": "application/json"}
    times = []
    with closing(http.client.HTTPSConnection(host, int(port), context=trust)) as connection:
        for _ in range(REQUESTS):
            begin = time.perf_counter()
            path = "/apis/serving.knative.dev/v1/namespaces/default/services/hello"
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            assert answer.read()
            assert answer.status == 200
            times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


@contextmanager
def cluster_in(folder: Path) -> Iterator[tuple[Cluster, float]]:
    """A cluster, and the seconds from its start to the first answer of kubectl."""
    begin = time.monotonic()
    cluster = start(folder, "bench")
    try:
        assert cluster.kubectl("get", "namespaces").code == 0
        yield cluster, time.monotonic() - begin
    finally:
        stop(cluster)


def measure(folder: Path, sizes: Sequence[int]) -> Iterator[Result]:
    """All numbers, one after the other."""
    with cluster_in(folder / "few") as (cluster, first):
        server = int(cluster.info["pid"])
        yield Result("process start to first kubectl get", first, "s", 1.0)
        yield Result("apply to READY of hello, median", _one_by_one(cluster), "s", 0.5)
        yield Result("GET of one object, median", get_ms(cluster), "ms", 2.0)
        yield from _gateway(cluster)
        seconds = until_all_ready(cluster, *(f"few-{n}" for n in range(MANY)))
        yield Result(f"{MANY} services in one apply until READY", seconds, "s", 4.0)
        yield from _idle(server)
        yield from _pods(server)
    for size in sizes:
        yield from _many(folder / f"many-{size}", size, seconds / MANY)


def _many(folder: Path, size: int, few: float) -> Iterator[Result]:
    """`few` is the time per service of the few."""
    with cluster_in(folder) as (cluster, _):
        until_ready(cluster, "first")  # as for the few: not the first service of a new cluster
        seconds = until_all_ready(cluster, *(f"many-{n}" for n in range(size)))
        target = 30.0 if size <= HUNDRED else None
        yield Result(f"{size} services in one apply until READY", seconds, "s", target)
        yield Result("  time per service, against the few", seconds / size / few, "x", 1.5)
        limit = 150.0 if size <= HUNDRED else None
        yield Result("  server memory", memory_mb(int(cluster.info["pid"])), "MB", limit)


def _one_by_one(cluster: Cluster) -> float:
    times = []
    for _ in range(ROUNDS):
        cluster.kubectl("delete", "ksvc", "hello", "--ignore-not-found")
        times.append(until_ready(cluster, "hello"))
    return statistics.median(times)


def _gateway(cluster: Cluster) -> Iterator[Result]:
    gateway = (cluster.info["gateway"]["address"], cluster.info["gateway"]["http"])
    host = f"hello.default.{cluster.info['domain']}"
    pods = (
        "pods",
        "-l",
        "serving.knative.dev/service=hello",
        "--field-selector=status.phase=Running",
    )
    path = "jsonpath={.items[-1:].status.podIP}"
    pod = cluster.kubectl("get", *pods, "-o", path).out
    through, direct = exchange_ms(gateway, host), exchange_ms((pod, 8080), host)
    yield Result("a request straight to the pod, median", direct, "ms")
    yield Result("the gateway adds, median", through - direct, "ms", 1.0)


def _idle(server: int) -> Iterator[Result]:
    time.sleep(IDLE_SECONDS)  # what is settling settles; the measurement is of idleness
    begin = cpu_seconds(server)
    time.sleep(IDLE_SECONDS)
    share = 100 * (cpu_seconds(server) - begin) / IDLE_SECONDS
    yield Result(f"idle CPU with {MANY} services", share, "%", 2.0)


def _pods(server: int) -> Iterator[Result]:
    sizes = [memory_mb(process, "Pss") for process in descendants(server)]
    small = sorted(sizes)[:-3] or sizes  # without Envoy and the node's own two
    yield Result("memory per pod, mean share", statistics.mean(small), "MB")


def main(arguments: Sequence[str]) -> int:
    """Measure and print; returns the exit code."""
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for result in measure(Path(folder), [int(size) for size in arguments]):
            print(result, flush=True)
            missed = missed or not result.met
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
