"""Waiting for sockets, with microsecond timers where the system has epoll."""

from __future__ import annotations

import select

from .clock import NS

READ = select.POLLIN
WRITE = select.POLLOUT

_MS = 1_000_000
_MAX_WAIT_S = 3600.0


class Watched:
    """A file descriptor that is waited for; `registered` is the poller's own note."""

    __slots__ = ("fd", "registered")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.registered = False


class EpollPoller:
    """epoll in one-shot mode: an event that nobody waits for any more cannot come again."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._fd = self._epoll.fileno()
        self._watched: dict[int, Watched] = {}

    def arm(self, watched: Watched, events: int) -> None:
        """Report the next of `events` (READ or WRITE) on `watched`, once."""
        if watched.registered:
            self._epoll.modify(watched.fd, events | select.EPOLLONESHOT)
        else:
            self._epoll.register(watched.fd, events | select.EPOLLONESHOT)
            watched.registered = True
        self._watched[watched.fd] = watched

    def wait(self, timeout_ns: int) -> list[Watched]:
        """What became ready within `timeout_ns`; errors and hang-ups count as ready."""
        found = self._epoll.poll(
            min(timeout_ns // _MS / 1000, _MAX_WAIT_S) if timeout_ns > 0 else 0
        )
        if not found and 0 < timeout_ns < 2 * _MS:
            # epoll's own timeout is in whole milliseconds; for what is left its descriptor is
            # given to select, which knows microseconds.
            select.select((self._fd,), (), (), timeout_ns % _MS / NS)
            found = self._epoll.poll(0)
        return [self._watched[fd] for fd, _ in found]

    def close(self) -> None:
        """Give the descriptor back."""
        self._epoll.close()


class PollPoller:
    """poll(2), for systems without epoll; its timers are as coarse as milliseconds."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, Watched] = {}

    def arm(self, watched: Watched, events: int) -> None:
        """Report the next of `events` (READ or WRITE) on `watched`, once."""
        self._poll.register(watched.fd, events)
        self._watched[watched.fd] = watched

    def wait(self, timeout_ns: int) -> list[Watched]:
        """What became ready within `timeout_ns`; errors and hang-ups count as ready."""
        timeout_ms = min(max(timeout_ns, 0) / 1e6, _MAX_WAIT_S * 1000)
        ready = []
        for fd, _ in self._poll.poll(timeout_ms):
            # Also the way in which a descriptor that was closed meanwhile leaves the set.
            self._poll.unregister(fd)
            ready.append(self._watched.pop(fd))
        return ready

    def close(self) -> None:
        """poll has no descriptor of its own."""


Poller = EpollPoller if hasattr(select, "epoll") else PollPoller
