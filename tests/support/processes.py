"""Processes of an embedded cluster as they are seen from outside: by their place in /proc."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.cluster import Cluster


def children(process: int) -> list[int]:
    """The processes that one has started; none when it is gone."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in found.split()]


def of_server(cluster: Cluster, word: str) -> list[int]:
    """The server's children whose command line has this word, for example `envoy`."""
    found = children(int(cluster.info["pid"]))
    return [child for child in found if word.encode() in _read(child, "cmdline")]


def apps(cluster: Cluster, service: str = "") -> list[int]:
    """The containers' processes, of one KService (by its pods' host names) or of all pods.

    They are children of the pods' process 1, which the node's has started.
    """
    nodes = of_server(cluster, "infra.embedded.node")
    found = [app for node in nodes for init in children(node) for app in children(init)]
    mark = f"{service}-".encode()
    return [app for app in found if not service or _read(app, "root/etc/hostname").startswith(mark)]


@contextmanager
def frozen(processes: Iterable[int]) -> Iterator[None]:
    """Processes that stand still for the time of a block."""
    stopped = list(processes)
    assert stopped
    try:
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in stopped:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


@contextmanager
def killing(cluster: Cluster, service: str = "") -> Iterator[set[int]]:
    """Kill every app as soon as it appears, for as long as the block lasts; yields the killed."""
    killed: set[int] = set()
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(0.001):
            for app in apps(cluster, service):
                with suppress(ProcessLookupError):
                    os.kill(app, signal.SIGKILL)
                    killed.add(app)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def _read(process: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{name}").read_bytes()
    except OSError:
        return b""
