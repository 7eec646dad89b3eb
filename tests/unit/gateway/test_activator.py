"""Which pod takes the next request."""

import asyncio
import socket
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.gateway.activator import Revision, Throttle, not_found
from infra.embedded.kubelet.channel import Channel
from infra.embedded.kubelet.network import PodNetwork

A, B = ("10.0.0.1", 80), ("10.0.0.2", 80)


def test_no_pod_takes_nothing() -> None:
    assert Throttle().pick() is None


def test_the_least_busy_pod_is_next() -> None:
    throttle = Throttle()
    throttle.set_pods([A, B])
    assert {throttle.pick(), throttle.pick()} == {A, B}


def test_a_full_pod_takes_no_more_until_one_is_done() -> None:
    throttle = Throttle(limit=1)
    throttle.set_pods([A])
    assert throttle.pick() == A
    assert throttle.pick() is None
    throttle.done(A)
    assert throttle.pick() == A


def test_requests_of_a_pod_that_stays_still_count() -> None:
    throttle = Throttle(limit=1)
    throttle.set_pods([A])
    throttle.pick()
    throttle.set_pods([A, B])
    assert (throttle.pick(), throttle.pick()) == (B, None)


def test_a_request_of_a_pod_that_left_is_forgotten() -> None:
    throttle = Throttle(limit=1)
    throttle.set_pods([A])
    throttle.pick()
    throttle.set_pods([])
    throttle.done(A)
    assert throttle.in_flight == {}


@given(st.lists(st.booleans()), st.integers(1, 3), st.integers(1, 3))
def test_the_limit_is_hard_and_the_load_even(steps: list[bool], limit: int, pods: int) -> None:
    throttle = Throttle(limit=limit)
    throttle.set_pods([("10.0.0.1", port) for port in range(pods)])
    taken: list[tuple[str, int]] = []
    for take in steps:
        if take and (pod := throttle.pick()) is not None:
            taken.append(pod)
        elif not take and taken:
            throttle.done(taken.pop(0))
    assert all(0 <= n <= limit for n in throttle.in_flight.values())
    assert sum(throttle.in_flight.values()) == len(taken)


def test_what_is_said_of_a_revision_that_does_not_exist() -> None:
    head, _, body = not_found("default/hello-00001").decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 404 Not Found\r\n")
    assert f"Content-Length: {len(body)}" in head
    assert body == (
        'Error getting active endpoint: revision.serving.knative.dev "hello-00001" not found\n'
    )


@pytest.mark.parametrize("end", ["reset", "cancelled"])
def test_a_request_that_ends_while_it_waits_takes_no_place(end: str) -> None:
    async def story() -> None:
        network = PodNetwork(cast(Channel, None), {"mode": "loopback"})  # it asks no process
        revision = Revision("default/hello-00001", network, lambda: None)
        near, far = socket.socketpair()
        _, writer = await asyncio.open_connection(sock=near)
        reader = asyncio.StreamReader()
        reader.feed_data(b"GET / HTTP/1.1\r\n\r\n")
        serving = asyncio.create_task(revision.accept(reader, writer))
        for _ in range(10):
            await asyncio.sleep(0)
        if end == "reset":
            reader.set_exception(ConnectionResetError())
        else:
            serving.cancel()
        await asyncio.wait({serving}, timeout=20)
        assert serving.done()
        revision.update([A], limit=1)
        assert revision.throttle.in_flight == {A: 0}
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        far.close()

    asyncio.run(story())
