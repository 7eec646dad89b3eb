"""A whole run: the open-loop schedule, its bounds, and connections that are kept."""

from __future__ import annotations

import datetime
import itertools
import socket
import threading
import time
from typing import Any

import pytest

from probes.agent.clock import NS
from tests.contract.agent.cases import OK, answers
from tests.contract.agent.dnsserver import A, Question, a, cname, reply, serve_dns
from tests.contract.agent.running import run_plan, run_target
from tests.contract.agent.servers import Peer, serve

SLOW = 0.15


def slow_answer(peer: Peer) -> None:
    peer.request()
    peer.stopped.wait(SLOW)
    peer.send(OK)


def test_requests_start_on_time_whether_or_not_earlier_ones_have_ended() -> None:
    with serve(slow_answer) as server:
        samples = run_target(url=f"http://127.0.0.1:{server.port}/", requests=20, rate=100)
    assert {sample.outcome for sample in samples} == {"ok"}
    starts = sorted(sample.start_mono_ns for sample in samples)
    assert starts[-1] - starts[0] < 2 * SLOW * NS
    by_seq = sorted(samples, key=lambda sample: sample.seq)
    gaps = [b.scheduled_ns - a.scheduled_ns for a, b in itertools.pairwise(by_seq)]
    assert gaps == [NS // 100] * 19


def test_a_start_that_had_to_wait_says_so() -> None:
    """Two places for requests that take longer than their interval: lateness adds up."""
    with serve(slow_answer) as server:
        target = {"name": "t", "url": f"http://127.0.0.1:{server.port}/"}
        plan = {"concurrency": 2, "targets": [{**target, "requests": 6, "rate": 1000}]}
        samples, summary = run_plan(plan)
    assert len(samples) == 6
    ordered = sorted(samples, key=lambda sample: sample.seq)
    assert ordered[0].lateness_ns < 0.05 * NS
    assert ordered[-1].lateness_ns > 1.8 * SLOW * NS
    assert summary.targets[0].lateness.percentiles["p99"] > 1.8 * SLOW * NS
    running = [(s.start_mono_ns, s.start_mono_ns + s.duration_s * NS) for s in samples]
    assert max(sum(a <= start < b for a, b in running) for start, _ in running) == 2


def test_vantages_share_a_start_and_one_that_is_late_says_so() -> None:
    with serve(answers(OK)) as server:
        target = {"name": "t", "url": f"http://127.0.0.1:{server.port}/"}
        begin = time.time() + 0.3
        (sample,), summary = run_plan({"start_at": begin, "targets": [target]})
        _, late = run_plan({"start_at": begin - 60, "targets": [target]})
    started = datetime.datetime.fromisoformat(sample.start_utc).timestamp()
    assert started - sample.lateness_ns / NS == pytest.approx(begin, abs=2e-6)
    assert summary.late_start_s == 0
    assert 59 < late.late_start_s < 70


def test_several_targets_share_one_schedule() -> None:
    with serve(answers(OK)) as good, serve(answers()) as bad:
        samples, summary = run_plan(
            {
                "targets": [
                    {"name": "good", "url": f"http://127.0.0.1:{good.port}/", "requests": 4,
                     "rate": 100},
                    {"name": "bad", "url": f"http://127.0.0.1:{bad.port}/", "requests": 2,
                     "rate": 50, "offset": 0.005},
                ]
            }
        )  # fmt: skip
    in_order = sorted(samples, key=lambda sample: sample.scheduled_ns)
    assert [s.target for s in in_order] == ["good", "bad", "good", "good", "bad", "good"]
    assert [(t.target, t.good, t.valid) for t in summary.targets] == [
        ("good", 4, 4),
        ("bad", 0, 2),
    ]


def keeps_open(peer: Peer) -> None:
    while peer.request():
        peer.send(OK)


def closes_after_one(peer: Peer) -> None:
    """Promise to keep the connection, and close it."""
    answers(OK)(peer)


def closes_on_second(peer: Peer) -> None:
    """Close exactly when the second request arrives, as an idle timeout may."""
    peer.request()
    peer.send(OK)
    peer.sock.recv(1)


@pytest.mark.parametrize(
    ("behave", "keepalive", "connections", "reused"),
    [
        (keeps_open, True, 1, [False, True, True, True]),
        (keeps_open, False, 4, [False] * 4),
        (closes_after_one, True, 4, [False] * 4),
        (closes_on_second, True, 4, [False] * 4),
    ],
)
def test_connections_are_kept_where_asked_and_possible(
    behave: Any, keepalive: bool, connections: int, reused: list[bool]
) -> None:
    with serve(behave) as server:
        url = f"http://127.0.0.1:{server.port}/"
        target = {"name": "t", "url": url, "requests": 4, "rate": 30, "keepalive": keepalive}
        samples, _ = run_plan({"concurrency": 1, "targets": [target]})
        assert server.connections == connections
    assert [sample.outcome for sample in samples] == ["ok"] * 4
    assert [sample.reused for sample in samples] == reused
    assert all(("connect" in s.phases) != s.reused for s in samples)
    assert {sample.peer for sample in samples} == {f"127.0.0.1:{server.port}"}


def test_redirects_are_followed_where_asked() -> None:
    def behave(peer: Peer) -> None:
        if b"GET /end" in peer.request():
            peer.send(OK)
        else:
            peer.send(b"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n")

    with serve(behave) as server:
        url = f"http://127.0.0.1:{server.port}"
        (off,) = run_target(url=f"{url}/start")
        (on,) = run_target(url=f"{url}/start", max_redirects=1)
    assert (off.outcome, off.status, off.redirects) == ("status_mismatch", 302, ())
    assert off.headers["location"] == "/end"
    assert (on.outcome, on.status, on.redirects) == ("ok", 200, (f"{url}/end",))


def test_credentials_in_a_redirect_are_not_kept() -> None:
    away = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
    away += b"Location: http://u:s3cret@127.0.0.1:%d/\r\n\r\n"
    with serve(lambda peer: (peer.request(), peer.send(away % server.port))) as server:
        url = f"http://127.0.0.1:{server.port}"
        samples = [*run_target(url=url), *run_target(url=url, max_redirects=2)]
    assert [sample.outcome for sample in samples] == ["status_mismatch"] * 2
    assert samples[1].redirects == (f"{url}/",) * 2
    assert "s3cret" not in repr(samples)


def test_connect_to_keeps_the_host() -> None:
    seen: list[bytes] = []

    def behave(peer: Peer) -> None:
        seen.append(peer.request())
        peer.send(OK)

    with serve(behave) as server:
        url = "http://hello.default.example.com/"
        rule = f"hello.default.example.com:80:127.0.0.1:{server.port}"
        (sample,) = run_target(url=url, connect_to=[rule])
    assert sample.outcome == "ok"
    assert b"\r\nHost: hello.default.example.com\r\n" in seen[0]
    assert list(sample.phases) == ["connect", "send", "wait", "transfer"]


def test_ipv6() -> None:
    with serve(answers(OK), host="::1") as server:
        (sample,) = run_target(url=f"http://[::1]:{server.port}/")
    assert (sample.outcome, sample.peer) == ("ok", f"[::1]:{server.port}")


def test_lookups_that_hang_end_by_their_deadline() -> None:
    """More lookups than threads, none of which ever returns in time."""
    released = threading.Event()
    running: list[str] = []

    def hang(host: str, *_: object) -> list[tuple[Any, ...]]:
        running.append(host)
        released.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "at last")

    target = {"name": "t", "url": "http://www.test/", "requests": 50, "rate": 1000, "timeout": 0.2}
    try:
        samples, _ = run_plan({"targets": [target]}, getaddrinfo=hang)
    finally:
        released.set()
    assert {sample.outcome for sample in samples} == {"dns_timeout"}
    assert max(sample.duration_s for sample in samples) < 0.3
    assert len(running) == 32


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "dns_not_found"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "dns_error"),
        (socket.gaierror(socket.EAI_FAIL, "failed"), "dns_error"),
        (UnicodeError("label too long"), "dns_error"),
    ],
)
def test_what_the_system_says_of_a_name(error: Exception, outcome: str) -> None:
    def fail(*_: object) -> list[tuple[Any, ...]]:
        raise error

    target = {"name": "t", "url": "http://www.test/"}
    (sample,), _ = run_plan({"targets": [target]}, getaddrinfo=fail)
    assert (sample.outcome, sample.hop) == (outcome, "resolve")


def test_a_magic_name_goes_on_by_address_only_in_mode_auto() -> None:
    def fail(*_: object) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with serve(answers(OK)) as server:
        url = f"http://hello.default.127.0.0.1.sslip.io:{server.port}/"
        targets = [
            {"name": "auto", "url": url, "dns": {"mode": "auto"}},
            {"name": "other", "url": "http://www.test/", "dns": {"mode": "auto"}, "offset": 0.01},
            {"name": "system", "url": url, "offset": 0.02},
        ]
        samples, _ = run_plan({"targets": targets}, getaddrinfo=fail)
    auto, other, system = sorted(samples, key=lambda sample: sample.target)
    assert auto.outcome == "ok"
    assert auto.dns is not None
    assert (auto.dns.source, auto.dns.checked, auto.dns.answers) == ("magic", False, ("127.0.0.1",))
    assert auto.dns.detail == "system resolver: dns_not_found: getaddrinfo: unknown"
    assert (other.outcome, system.outcome) == ("dns_not_found", "dns_not_found")


@pytest.mark.parametrize(
    ("spelled", "ttls"), [("127.0.0.1", (7,)), ("127.0.0.2", ())], ids=["agrees", "differs"]
)
def test_ttls_are_added_where_the_resolver_explains_the_answer(
    spelled: str, ttls: tuple[int, ...]
) -> None:
    def system(_host: str, port: int, *_: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    def answer(question: Question) -> bytes:
        found = (a("b.test", spelled, ttl=7),) if question.type == A else ()
        return reply(question, cname("www.test", "b.test"), *found)

    with serve_dns(answer) as resolver, serve(answers(OK)) as server:
        target = {"name": "t", "url": f"http://www.test:{server.port}/", "requests": 3, "rate": 50}
        samples, _ = run_plan(
            {"targets": [target]}, getaddrinfo=system, resolvers=[resolver.address]
        )
        assert len(resolver.questions) == 2, "one question for each family, for all samples"
    for sample in samples:
        assert sample.outcome == "ok"
        assert sample.dns is not None
        assert (sample.dns.source, sample.dns.ttls) == ("system", ttls)
        assert sample.dns.names == (("www.test", "b.test") if ttls else ("www.test",))
        assert sample.duration_s < 0.2
