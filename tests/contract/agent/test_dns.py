"""The hop resolve: resolvers that are right, slow, wrong or silent."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.agent.sample import Sample
from tests.contract.agent.cases import OK, TIMEOUT, answers
from tests.contract.agent.dnsserver import (
    AAAA,
    SRV,
    TXT,
    A,
    Answer,
    Question,
    a,
    cname,
    record,
    reply,
    serve_dns,
    wire_name,
)
from tests.contract.agent.running import probe, prompt, run_target
from tests.contract.agent.servers import serve

NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5


def service(question: Question) -> bytes:
    data = struct.pack("!HHH", 1, 2, 80) + wire_name("h.test")
    return reply(question, record(question.name, SRV, 1, data))


def only_ipv4(question: Question) -> bytes:
    found = (a(question.name, "127.0.0.1"),) if question.type == A else ()
    return reply(question, *found)


def http_probe(answer: Answer, **dns: object) -> Sample:
    """Probe a good server under a name that `answer` resolves."""
    with serve_dns(answer) as resolver, serve(answers(OK)) as server:
        return prompt(
            lambda: probe(
                f"http://www.test:{server.port}/",
                timeout=TIMEOUT,
                dns={"mode": "servers", "servers": [resolver.address], **dns},
            ),
            within=TIMEOUT + 0.1,
        )


def test_names_answers_and_ttls_are_in_the_sample() -> None:
    def answer(question: Question) -> bytes:
        chain = (cname("www.test", "b.test"), cname("b.test", "c.test"))
        address = (a("c.test", "127.0.0.1", ttl=7),) if question.type == A else ()
        return reply(question, *chain, *address, a("unrelated.test", "10.0.0.1"))

    sample = http_probe(answer)
    assert sample.outcome == "ok"
    assert list(sample.phases) == ["resolve", "connect", "send", "wait", "transfer"]
    assert sample.dns is not None
    assert sample.dns.names == ("www.test", "b.test", "c.test")
    assert (sample.dns.answers, sample.dns.ttls) == (("127.0.0.1",), (7,))
    assert (sample.dns.source, sample.dns.checked) == ("servers", True)
    assert (sample.dns.resolver or "").startswith("127.0.0.1:")


def half_answer(question: Question) -> bytes | None:
    """Answer for IPv4 and drop the question for IPv6, as some broken resolvers do."""
    return only_ipv4(question) if question.type == A else None


def wrong_then_right(question: Question) -> bytes:
    """An answer to some other question must be ignored, not believed."""
    return reply(question, a(question.name, "10.9.9.9"), id=question.id ^ 1)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (only_ipv4, "ok"),
        (half_answer, "ok"),
        (lambda q: reply(q, rcode=NXDOMAIN), "dns_not_found"),
        (reply, "dns_not_found"),
        (lambda q: reply(q, cname("www.test", "gone.test")), "dns_not_found"),
        (lambda q: reply(q, cname("www.test", "www.test")), "dns_not_found"),
        (lambda q: reply(q, cname("www.test", "b.test"), cname("b.test", "www.test")),
         "dns_not_found"),
        (lambda q: reply(q, rcode=SERVFAIL), "dns_error"),
        (lambda q: reply(q, rcode=REFUSED), "dns_error"),
        (lambda q: reply(q, a(q.name, "127.0.0.1"))[:-2], "dns_error"),
        (lambda q: struct.pack("!H", q.id) + b"\xff" * 40, "dns_error"),
        (lambda q: reply(q, record(q.name, A, 1, b"abc")), "dns_error"),
        (lambda q: reply(q, b"\xc0\xff" + b"\0" * 10), "dns_error"),
        (lambda _: None, "dns_timeout"),
        (lambda _: b"", "dns_timeout"),
        (wrong_then_right, "dns_timeout"),
        (lambda q: reply(q, truncated=True) if not q.tcp else only_ipv4(q), "ok"),
        (lambda q: reply(q, truncated=True) if not q.tcp else None, "dns_error"),
        (lambda q: reply(q, truncated=True) if not q.tcp else b"\0\0junk", "dns_error"),
    ],
    ids=["good", "only-half", "nxdomain", "no-data", "dangling-alias", "own-alias", "alias-loop",
         "servfail", "refused",
         "cut-off", "garbage", "short-address", "forward-pointer", "silent", "empty", "wrong-id",
         "truncated-then-tcp", "truncated-and-tcp-closes", "truncated-and-tcp-garbage"],
)  # fmt: skip
def test_each_resolver_gets_its_outcome(answer: Answer, outcome: str) -> None:
    sample = http_probe(answer)
    assert sample.outcome == outcome, sample.detail
    assert sample.hop == ("none" if outcome == "ok" else "resolve")
    assert ("connect" in sample.phases) == (outcome == "ok")


# A process of its own: sharing an interpreter with the engine, it would have to pause for it.
FLOOD = """
import socket
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.bind(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    question, client = sock.recvfrom(4096)
    stray = bytes([question[0] ^ 1]) + question[1:]
    while True:
        try:
            sock.sendto(stray, client)
        except OSError:  # the client has gone
            break
"""


@contextlib.contextmanager
def flooding() -> Iterator[str]:
    """A resolver that never stops giving answers to what was not asked."""
    argv = [sys.executable, "-I", "-S", "-c", FLOOD]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def test_a_resolver_that_never_stops_is_given_up_in_time() -> None:
    with flooding() as server:
        asked = {"mode": "servers", "servers": [server]}
        sample = probe("http://hello.test/", timeout=0.5, dns=asked)
    assert sample.outcome == "dns_timeout", sample.detail
    assert sample.duration_s < 10


def test_nobody_listens_at_the_resolver() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    sample = probe(
        "http://www.test/",
        timeout=TIMEOUT,
        dns={"mode": "servers", "servers": [f"127.0.0.1:{port}"]},
    )
    assert sample.outcome == "dns_error"
    assert "ECONNREFUSED" in (sample.detail or "")


def test_a_failing_resolver_is_passed_over() -> None:
    with (
        serve_dns(lambda q: reply(q, rcode=SERVFAIL)) as bad,
        serve_dns(only_ipv4) as good,
        serve(answers(OK)) as server,
    ):
        sample = probe(
            f"http://www.test:{server.port}/",
            timeout=TIMEOUT,
            dns={"mode": "servers", "servers": [bad.address, good.address], "family": "4"},
        )
        assert [len(bad.questions), len(good.questions)] == [1, 1]
    assert sample.outcome == "ok"
    assert sample.dns is not None
    assert sample.dns.resolver == good.address


def test_a_slow_resolver_costs_time_in_its_own_phase() -> None:
    def slowly(question: Question) -> bytes:
        threading.Event().wait(0.1)
        return only_ipv4(question)

    sample = http_probe(slowly, family="4")
    assert sample.outcome == "ok"
    assert sample.phases["resolve"] >= 0.1 > sample.phases["connect"]


def silent_once() -> Answer:
    """A resolver that loses the first question."""
    asked = threading.Event()

    def answer(question: Question) -> bytes | None:
        if asked.is_set():
            return only_ipv4(question)
        asked.set()
        return None

    return answer


def test_a_resolver_that_answers_late_fails_one_probe_and_not_the_next() -> None:
    with serve_dns(silent_once()) as resolver, serve(answers(OK)) as server:
        first, second = run_target(
            url=f"http://www.test:{server.port}/",
            requests=2,
            rate=0.5,
            timeout=10,
            dns={
                "mode": "servers",
                "servers": [resolver.address],
                "family": "4",
                "timeout": 0.5,
            },
        )
    assert (first.outcome, first.hop) == ("dns_timeout", "resolve")
    assert second.outcome == "ok", second.detail


def test_a_question_that_is_lost_is_asked_again() -> None:
    with serve_dns(silent_once()) as resolver, serve(answers(OK)) as server:
        sample = probe(
            f"http://www.test:{server.port}/",
            timeout=10,
            dns={"mode": "servers", "servers": [resolver.address], "family": "4"},
        )
    assert sample.outcome == "ok", sample.detail
    assert sample.phases["resolve"] >= 1 > sample.phases["connect"]


def test_resolving_has_a_deadline_of_its_own() -> None:
    sample = http_probe(lambda _: None, timeout=0.1)
    assert sample.outcome == "dns_timeout"
    assert 0.1 <= sample.duration_s < 0.2


@pytest.mark.parametrize(("family", "types"), [("any", [A, AAAA]), ("4", [A]), ("6", [AAAA])])
def test_only_the_wanted_families_are_asked_for(family: str, types: list[int]) -> None:
    with serve_dns(lambda q: reply(q, rcode=NXDOMAIN)) as resolver:
        settings = {"mode": "servers", "servers": [resolver.address], "family": family}
        probe("http://www.test/", timeout=TIMEOUT, dns=settings)
        assert sorted(question.type for question in resolver.questions) == types


def test_the_system_resolver_says_what_it_found() -> None:
    with serve(answers(OK)) as server:
        sample = probe(f"http://localhost:{server.port}/")
    assert sample.outcome == "ok"
    assert sample.dns is not None
    assert (sample.dns.source, sample.dns.checked) == ("system", True)
    assert "127.0.0.1" in sample.dns.answers


def test_a_name_that_the_system_cannot_resolve() -> None:
    sample = probe("http://no-such-host.invalid/", timeout=2)
    assert sample.hop == "resolve"
    assert sample.outcome in ("dns_not_found", "dns_error", "dns_timeout")


def dns_probe(answer: Answer, url: str, **target: object) -> Sample:
    with serve_dns(answer) as resolver:
        dns = {"mode": "servers", "servers": [resolver.address]}
        return probe(url, timeout=TIMEOUT, dns=dns, **target)


@pytest.mark.parametrize(
    ("url", "answer", "outcome", "answers"),
    [
        ("dns://www.test", lambda q: reply(q, a(q.name, "10.0.0.1", 5)), "ok", ("10.0.0.1",)),
        ("dns://www.test?type=AAAA", lambda q: reply(q, a(q.name, "::1")), "ok", ("::1",)),
        ("dns://www.test?type=txt",
         lambda q: reply(q, record(q.name, TXT, 1, b"\x03abc\x02de")), "ok", ("abcde",)),
        ("dns://_h._tcp.test?type=SRV",
         service, "ok", ("1 2 80 h.test",)),
        ("dns://www.test", lambda q: reply(q, rcode=NXDOMAIN), "dns_not_found", ()),
        ("dns://www.test?type=MX", only_ipv4, "dns_not_found", ()),
        ("dns://www.test", lambda q: reply(q, rcode=SERVFAIL), "dns_error", None),
        ("dns://www.test", lambda _: None, "dns_timeout", None),
    ],
    ids=["a", "aaaa", "txt", "srv", "nxdomain", "no-data", "servfail", "silent"],
)  # fmt: skip
def test_the_dns_probe(
    url: str, answer: Answer, outcome: str, answers: tuple[str, ...] | None
) -> None:
    sample = dns_probe(answer, url)
    assert (sample.type, sample.outcome) == ("dns", outcome)
    assert list(sample.phases) == ["resolve"]
    assert (sample.dns.answers if sample.dns else None) == answers


def test_the_dns_probe_checks_the_answers() -> None:
    def answer(question: Question) -> bytes:
        return reply(question, a(question.name, "10.0.0.2"), a(question.name, "10.0.0.1"))

    expect = {"body": {"exact": "10.0.0.1\n10.0.0.2"}}
    assert dns_probe(answer, "dns://www.test", expect=expect).outcome == "ok"
    wrong = dns_probe(answer, "dns://www.test", expect={"body": {"contains": "10.0.0.3"}})
    assert wrong.outcome == "body_mismatch"


scraps = st.sampled_from(
    [
        a("www.test", "127.0.0.1"),
        a("www.test", "::1"),
        cname("www.test", "b.test"),
        cname("b.test", "www.test"),
        record("www.test", TXT, 1, b"\x05ab"),
        b"\xc0\x0c",
        b"",
    ]
) | st.binary(max_size=30)


@settings(max_examples=30, deadline=None)
@given(st.lists(scraps, max_size=4), st.integers(0, 15), st.booleans())
def test_whatever_a_resolver_says_is_an_outcome_of_its_own(
    said: list[bytes], rcode: int, truncated: bool
) -> None:
    sample = dns_probe(
        lambda question: reply(question, *said, rcode=rcode, truncated=truncated), "dns://www.test"
    )
    assert sample.hop in ("none", "resolve")
    assert sample.duration_s < TIMEOUT + 0.1
