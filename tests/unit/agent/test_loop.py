"""The event loop and both of its pollers, on real sockets and clocks."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from probes.agent.clock import NS, mono_ns
from probes.agent.loop import Loop, notified, readable, sleep_until, writable
from probes.agent.poller import READ, WRITE, EpollPoller, PollPoller, Watched

MS = NS // 1000


@pytest.fixture
def loop() -> Iterator[Loop]:
    with closing(Loop()) as made:
        yield made


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


def test_sleepers_wake_in_the_order_of_their_times(loop: Loop) -> None:
    woken: list[int] = []
    start = mono_ns()

    async def sleeper(after_ms: int) -> None:
        await sleep_until(start + after_ms * MS)
        assert mono_ns() >= start + after_ms * MS
        woken.append(after_ms)

    for after_ms in (6, 1, 4, 2):
        loop.spawn(sleeper(after_ms))
    assert loop.run() == 0
    assert woken == [1, 2, 4, 6]


def test_a_socket_that_becomes_readable_wakes_its_task(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    seen: list[bytes] = []

    async def reader() -> None:
        watched = Watched(left.fileno())
        while len(seen) < 3:
            assert await readable(watched, mono_ns() + NS)
            seen.append(left.recv(10))

    async def writer() -> None:
        watched = Watched(right.fileno())
        for text in (b"one", b"two", b"three"):
            assert await writable(watched, mono_ns() + NS)
            right.send(text)
            await sleep_until(mono_ns() + MS)

    loop.spawn(reader())
    loop.spawn(writer())
    loop.run()
    assert seen == [b"one", b"two", b"three"]


@pytest.mark.parametrize("wait_ms", [0, 1, 30])
def test_a_deadline_ends_a_wait(
    loop: Loop, pair: tuple[socket.socket, socket.socket], wait_ms: int
) -> None:
    took: list[float] = []

    async def reader() -> None:
        start = mono_ns()
        assert not await readable(Watched(pair[0].fileno()), start + wait_ms * MS)
        took.append((mono_ns() - start) / MS)

    loop.spawn(reader())
    loop.run()
    assert wait_ms <= took[0] < wait_ms + 50


def test_a_thread_can_wake_a_task(loop: Loop) -> None:
    token = object()
    results: list[bool] = []

    async def waiter() -> None:
        thread = threading.Thread(target=loop.notify_from_thread, args=(token,))
        thread.start()
        results.append(await notified(token, mono_ns() + NS))
        thread.join()

    loop.spawn(waiter())
    loop.run()
    assert results == [True]


def test_stop_closes_what_is_in_flight(loop: Loop) -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await notified(object(), 1 << 62)
        finally:
            ended.append("closed")

    async def stopper() -> None:
        loop.stop()

    loop.spawn(endless())
    loop.spawn(stopper())
    assert loop.run() == 1
    assert ended == ["closed"]


def test_tasks_in_the_background_keep_nobody_waiting(loop: Loop) -> None:
    ticks: list[int] = []

    async def ticker() -> None:
        while True:
            ticks.append(mono_ns())
            await sleep_until(mono_ns() + MS)

    async def main() -> None:
        await sleep_until(mono_ns() + 10 * MS)

    loop.spawn(ticker(), background=True)
    loop.spawn(main())
    assert loop.run() == 0
    assert len(ticks) > 1


def test_a_closed_loop_may_still_be_notified() -> None:
    loop = Loop()
    loop.close()
    loop.notify_from_thread(object())


pollers = [PollPoller, *([EpollPoller] if hasattr(select, "epoll") else [])]


@pytest.mark.parametrize("poller_class", pollers)
def test_an_event_is_reported_once(
    poller_class: type[PollPoller], pair: tuple[socket.socket, socket.socket]
) -> None:
    with closing(poller_class()) as poller:
        watched = Watched(pair[0].fileno())
        pair[1].send(b"x")
        poller.arm(watched, READ)
        assert poller.wait(NS) == [watched]
        assert poller.wait(0) == []
        poller.arm(watched, WRITE)
        assert poller.wait(NS) == [watched]


@pytest.mark.parametrize("poller_class", pollers)
def test_a_hang_up_counts_as_ready(poller_class: type[PollPoller]) -> None:
    read_end, write_end = os.pipe()
    with closing(poller_class()) as poller:
        watched = Watched(read_end)
        poller.arm(watched, READ)
        os.close(write_end)
        assert poller.wait(NS) == [watched]
    os.close(read_end)


@pytest.mark.parametrize("wait_us", [100, 900, 2500])
@pytest.mark.parametrize("poller_class", pollers)
def test_a_wait_is_not_shorter_than_asked_and_hardly_longer(
    poller_class: type[PollPoller], wait_us: int
) -> None:
    with closing(poller_class()) as poller:
        start = mono_ns()
        while mono_ns() < start + wait_us * 1000:
            assert poller.wait(start + wait_us * 1000 - mono_ns()) == []
        assert mono_ns() - start < wait_us * 1000 + 50 * MS
