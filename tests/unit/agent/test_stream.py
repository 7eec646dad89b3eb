"""A connection whose every operation has a deadline."""

from __future__ import annotations

import socket

import pytest

from probes.agent.clock import NS, mono_ns
from probes.agent.loop import Loop
from probes.agent.outcomes import Failure, Outcome
from probes.agent.stream import RECV_BYTES, Stream


def received(stream: Stream, deadline: int, times: int) -> list[bytes | Outcome]:
    """What so many calls of `receive` give, each at once."""
    found: list[bytes | Outcome] = []

    async def read() -> None:
        for _ in range(times):
            try:
                found.append(await stream.receive("transfer", deadline))
            except Failure as failure:
                found.append(failure.outcome)

    loop = Loop()
    loop.spawn(read())
    loop.run()
    loop.close()
    return found


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(3600, [b"a" * RECV_BYTES] * 2), (0, [b"a" * RECV_BYTES, Outcome.TRANSFER_TIMEOUT])],
    ids=["in time", "too late"],
)
def test_what_had_arrived_counts_and_a_server_that_never_pauses_is_given_up(
    seconds: int, expected: list[bytes | Outcome]
) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        far.sendall(b"a" * (2 * RECV_BYTES))
        near.setblocking(False)
        assert received(Stream(near), mono_ns() + seconds * NS, 2) == expected
