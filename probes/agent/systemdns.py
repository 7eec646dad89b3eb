"""The system's resolver, asked with a deadline."""

from __future__ import annotations

import queue
import socket
import threading
from typing import Any, Callable, Iterable

from .addresses import Address
from .loop import Loop, notified
from .outcomes import Failure, Outcome, describe, timed_out

GetAddrInfo = Callable[[str, int, int, int], Iterable[tuple[Any, ...]]]

_NOT_FOUND = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)
)


class SystemResolver:
    """getaddrinfo on a few threads of its own.

    A lookup cannot be interrupted, so its deadline abandons it: the thread stays busy until the
    system gives up. The number of threads bounds that; when all hang, further lookups end by
    their deadlines too.
    """

    def __init__(
        self, loop: Loop, *, threads: int = 32, getaddrinfo: GetAddrInfo = socket.getaddrinfo
    ) -> None:
        self._loop = loop
        self._getaddrinfo = getaddrinfo
        self._limit = threads
        self._idle = 0
        self._threads = 0
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Lookup | None] = queue.SimpleQueue()

    async def lookup(self, host: str, port: int, family: int, deadline: int) -> list[Address]:
        """The addresses of `host`, in the system's order, or Failure."""
        job = _Lookup(host, port, family)
        with self._lock:
            if self._idle <= 0 and self._threads < self._limit:
                self._threads += 1
                threading.Thread(target=self._work, daemon=True).start()
            else:
                self._idle -= 1
        self._jobs.put(job)
        await notified(job, deadline)
        if job.error is not None:
            raise job.error
        if job.addresses is None:
            job.abandoned = True
            raise timed_out("resolve")
        return job.addresses

    def close(self) -> None:
        """Let the threads end, each when its lookup does."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            if not job.abandoned:
                job.run(self._getaddrinfo)
            with self._lock:
                self._idle += 1
            self._loop.notify_from_thread(job)


class _Lookup:
    """One call of getaddrinfo; compared by identity, so that it can name its own wake-up."""

    def __init__(self, host: str, port: int, family: int) -> None:
        self._arguments = (host, port, family)
        self.addresses: list[Address] | None = None
        self.error: Failure | None = None
        self.abandoned = False

    def run(self, getaddrinfo: GetAddrInfo) -> None:
        host, port, family = self._arguments
        try:
            found = getaddrinfo(host, port, family, socket.SOCK_STREAM)
        except socket.gaierror as error:
            missing = error.errno in _NOT_FOUND
            outcome = Outcome.DNS_NOT_FOUND if missing else Outcome.DNS_ERROR
            self.error = Failure(outcome, f"getaddrinfo: {error.strerror}")
        except (OSError, ValueError) as error:
            self.error = Failure(Outcome.DNS_ERROR, describe(error))
        else:
            self.addresses = list(dict.fromkeys((each[0], each[4]) for each in found))
