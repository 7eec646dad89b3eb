"""Whatever a server does becomes one sample with the right outcome, in time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.agent.outcomes import HOP_OF, Outcome
from probes.agent.sample import Sample
from tests.contract.agent.cases import HTTP_CASES, OK, TIMEOUT, Case, answers
from tests.contract.agent.running import probe, prompt
from tests.contract.agent.servers import (
    Peer,
    Server,
    closed_port,
    full_backlog,
    serve,
    silent_listener,
)

GRACE = 0.1


def timed_probe(url: str, **target: object) -> Sample:
    """Probe `url`; the engine must be done within its timeout and a tenth of a second."""
    sample = prompt(lambda: probe(url, **{"timeout": TIMEOUT, **target}), within=TIMEOUT + GRACE)
    assert sample.hop == HOP_OF[Outcome(sample.outcome)]
    return sample


@pytest.mark.parametrize("case", HTTP_CASES, ids=lambda case: case.id)
def test_each_bad_server_gets_its_outcome(case: Case) -> None:
    with serve(case.behave, receive_buffer=4096) as server:
        sample = timed_probe(f"http://127.0.0.1:{server.port}/", **case.target)
    assert sample.outcome in case.outcomes, sample
    assert (sample.detail is None) == (sample.outcome == "ok")
    if "transfer" not in sample.phases:
        assert (sample.status, sample.bytes, sample.body_sha256) == (None, None, None)


pieces = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
        b"Content-Length: 5\r\n", b"Content-Length: x\r\n", b"Transfer-Encoding: chunked\r\n",
        b"Location: /\r\n", b"\r\n", b"\n", b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b"\0",
    ]
) | st.binary(max_size=20)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(pieces, max_size=8), st.sampled_from([None, Peer.reset]))
def test_whatever_a_server_says_is_an_outcome_of_its_own(
    said: list[bytes], then: Callable[[Peer], None] | None
) -> None:
    with serve(answers(*said, then=then)) as server:
        sample = timed_probe(f"http://127.0.0.1:{server.port}/", max_redirects=2)
    assert sample.outcome != "prober_error", sample.detail


@pytest.mark.parametrize(("host", "broken"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_one_broken_family_leaves_the_other(host: str, broken: str) -> None:
    with serve(answers(OK), host=host) as server:
        rule = f"both:{server.port}:{broken},{host}"
        sample = timed_probe(f"http://both:{server.port}/", resolve=[rule])
    assert [tried.result for tried in sample.addresses] == ["connect_refused", "ok"]
    assert sample.outcome == "ok"


@pytest.mark.parametrize(
    ("place", "outcome"),
    [
        (closed_port, "connect_refused"),
        (full_backlog, "connect_timeout"),
        (silent_listener, "wait_timeout"),
    ],
)
def test_each_bad_port_gets_its_outcome(
    place: Callable[[], AbstractContextManager[Server]], outcome: str
) -> None:
    with place() as server:
        sample = timed_probe(f"http://127.0.0.1:{server.port}/")
    assert sample.outcome == outcome
    assert sample.addresses[0].address == "127.0.0.1"


def test_an_address_without_a_route_is_unreachable() -> None:
    assert timed_probe("http://255.255.255.255/").outcome == "connect_unreachable"


def test_all_addresses_are_tried_and_recorded() -> None:
    with serve(answers(OK)) as server:
        sample = probe(
            f"http://several:{server.port}/",
            resolve=[f"several:{server.port}:127.0.0.2,255.255.255.255,127.0.0.1"],
        )
    assert [(tried.address, tried.result) for tried in sample.addresses] == [
        ("127.0.0.2", "connect_refused"),
        ("255.255.255.255", "connect_unreachable"),
        ("127.0.0.1", "ok"),
    ]
    assert sample.outcome == "ok"
    assert sample.peer == f"127.0.0.1:{server.port}"


def test_addresses_share_the_time() -> None:
    """A dropped SYN at the first address leaves time for the second."""
    with full_backlog() as full:
        rule = f"several:{full.port}:127.0.0.1,127.0.0.2"
        sample = timed_probe(f"http://several:{full.port}/", resolve=[rule])
    assert [tried.result for tried in sample.addresses] == ["connect_timeout", "connect_refused"]
    assert sample.outcome == "connect_refused"


def test_the_phases_that_were_reached_are_timed() -> None:
    def rest(peer: Peer) -> None:
        peer.stopped.wait(0.05)
        peer.send(OK[20:])

    with serve(answers(OK[:20], then=rest)) as server:
        sample = probe(f"http://127.0.0.1:{server.port}/")
    assert list(sample.phases) == ["connect", "send", "wait", "transfer"]
    assert sample.phases["transfer"] > 0.04 > sample.phases["wait"]
    assert sum(sample.phases.values()) == pytest.approx(sample.duration_s, abs=0.02)
    assert sample.body_head == "hello"
    assert (sample.status, sample.http_version, sample.bytes) == (200, "1.1", 5)
