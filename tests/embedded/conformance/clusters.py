"""Clusters that areas have for themselves, all of which can be ended at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.cluster import Cluster, start, stop

_START_SECONDS = 40.0


class Clusters:
    """Clusters as they are started and stopped by several threads."""

    def __init__(self) -> None:
        self._live: list[Cluster] = []
        self._starting = 0
        self._over = False
        self._changed = threading.Condition()

    @contextmanager
    def one(self, folder: Path, name: str, *options: str) -> Iterator[Cluster]:
        """A cluster for the length of a block; raises RuntimeError when it does not start."""
        cluster = self._start(folder, name, options)
        try:
            yield cluster
        finally:
            with self._changed:
                self._live.remove(cluster)
            stop(cluster)

    def end(self) -> None:
        """Stop all clusters, those that are starting too; no other one can be started."""
        with self._changed:
            self._over = True
            self._changed.wait_for(lambda: not self._starting, _START_SECONDS)
            live = tuple(self._live)
        for cluster in live:
            stop(cluster)

    def _start(self, folder: Path, name: str, options: tuple[str, ...]) -> Cluster:
        with self._changed:
            if self._over:
                raise RuntimeError("no further cluster: the replay is over")
            self._starting += 1
        cluster = None
        try:
            cluster = start(folder, name, *options)
            return cluster
        finally:
            with self._changed:
                self._starting -= 1
                if cluster is not None:
                    self._live.append(cluster)
                self._changed.notify_all()
