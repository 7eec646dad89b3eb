"""One writer per cluster: a file lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import EnvironmentProblem
from harness.ports import Clock
from harness.timing.wait import WaitTimeout, until


class Busy(EnvironmentProblem):
    """Another run holds the cluster."""


class ClusterLock:
    """The lock of one cluster on this machine, while it is held."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @contextmanager
    def shared_with_children(self) -> Iterator[None]:
        """Processes started inside hold the lock too.

        A kubectl that outlives a killed runner may still be applying: until it has ended, no
        other runner may look at the cluster and draw conclusions.
        """
        os.set_inheritable(self._descriptor, True)
        try:
            yield
        finally:
            os.set_inheritable(self._descriptor, False)


@contextmanager
def cluster_lock(path: Path, *, timeout: float, clock: Clock) -> Iterator[ClusterLock]:
    """Hold the lock file at `path`; wait for it at most `timeout` seconds.

    Errors:
        Busy: somebody else still holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            until(
                lambda: try_lock(descriptor),
                bool,
                what=f"the lock {path}",
                timeout=timeout,
                clock=clock,
                describe=lambda _: "held by another run",
            )
        except WaitTimeout as error:
            raise Busy(
                f"another run holds the cluster (lock {path}) for more than {timeout:g} s",
                mend="wait for it to end, or look at its run.log",
            ) from error
        yield ClusterLock(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the lock on an open file unless another open file has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
