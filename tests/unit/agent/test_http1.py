"""The reader of HTTP answers: however the bytes are cut, the result is the same."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.agent.body import Body
from probes.agent.http1 import Framing, Head, ResponseReader, framing_of, parse_head
from probes.agent.outcomes import Failure, Outcome
from probes.agent.plan import Limits


@dataclass(frozen=True)
class Reading:
    """What became of an answer."""

    outcome: str
    status: int | None
    body: bytes
    reusable: bool


def read(data: bytes, cuts: list[int] | None = None, *, method: str = "GET") -> Reading:
    """Feed `data` in pieces that end at `cuts`, then the end of the connection."""
    body = Body(1000, keep=True)
    reader = ResponseReader(method, Limits(header_bytes=500, header_count=10), body)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    outcome = "ok"
    try:
        for start, end in itertools.pairwise(edges):
            if start < end:
                if reader.complete:
                    raise Failure(Outcome.MALFORMED_RESPONSE, "more after the end")
                reader.feed(data[start:end])
        if not reader.complete:
            reader.end()
    except Failure as failure:
        outcome = failure.outcome.value
    status = reader.head.status if reader.head else None
    return Reading(outcome, status, body.kept(), reader.reusable)


bodies = st.binary(max_size=300)
cuts = st.lists(st.integers(0, 2000), max_size=12)


@given(bodies, cuts)
def test_a_length_is_honoured_however_the_bytes_are_cut(body: bytes, cuts: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert read(head + body, cuts) == Reading("ok", 200, body, True)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), cuts)
def test_chunks_are_joined_however_the_bytes_are_cut(pieces: list[bytes], cuts: list[int]) -> None:
    coded = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\nX: y\r\n\r\n"
    assert read(wire, cuts) == Reading("ok", 200, b"".join(pieces), True)


@given(bodies, cuts)
def test_without_a_length_the_end_is_the_end(body: bytes, cuts: list[int]) -> None:
    assert read(b"HTTP/1.0 200 OK\r\n\r\n" + body, cuts) == Reading("ok", 200, body, False)


@given(st.binary(max_size=400), cuts)
def test_any_bytes_become_an_outcome(data: bytes, cuts: list[int]) -> None:
    assert read(data, cuts).outcome in {outcome.value for outcome in Outcome}


@given(st.integers(1, 60), cuts)
def test_every_early_end_is_truncated(missing: int, cuts: list[int]) -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b"a" * 20
    short = wire[: max(1, len(wire) - missing)]
    assert read(short, cuts).outcome == "truncated"


@given(st.binary(min_size=1, max_size=20))
def test_bytes_after_the_end_are_malformed(rest: bytes) -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert read(wire + rest).outcome == "malformed_response"


def head(status: int = 200, version: str = "1.1", **fields: str) -> Head:
    return Head(version, status, {key.replace("_", "-"): value for key, value in fields.items()})


@pytest.mark.parametrize(
    ("answer", "method", "expected"),
    [
        (head(), "GET", Framing()),
        (head(content_length="7"), "GET", Framing(length=7)),
        (head(content_length="7, 7"), "GET", Framing(length=7)),
        (head(content_length="7"), "HEAD", Framing(length=0)),
        (head(204), "GET", Framing(length=0)),
        (head(304, content_length="7"), "GET", Framing(length=0)),
        (head(101), "GET", Framing(length=0)),
        (head(transfer_encoding="Chunked"), "GET", Framing(chunked=True)),
        (head(transfer_encoding="chunked"), "HEAD", Framing(length=0)),
    ],
)
def test_framing(answer: Head, method: str, expected: Framing) -> None:
    assert framing_of(answer, method) == expected


@pytest.mark.parametrize(
    "answer",
    [
        head(content_length="7, 8"),
        head(content_length=""),
        head(content_length="+7"),
        head(content_length="0x7"),
        head(content_length="٧"),
        head(content_length="1" * 19),
        head(transfer_encoding="gzip"),
        head(transfer_encoding="chunked, chunked"),
        head(transfer_encoding="chunked", version="1.0"),
        head(transfer_encoding="chunked", content_length="7"),
    ],
)
def test_bad_framing(answer: Head) -> None:
    with pytest.raises(Failure) as raised:
        framing_of(answer, "GET")
    assert raised.value.outcome is Outcome.MALFORMED_RESPONSE


def test_header_fields_are_lower_case_trimmed_and_joined() -> None:
    block = b"HTTP/1.1 200 OK\r\nVia: a\r\nServer: \t envoy \r\nvia: b\r\nX-Empty:"
    assert parse_head(block, 10).fields == {"via": "a, b", "server": "envoy", "x-empty": ""}


@pytest.mark.parametrize(
    ("connection", "reusable"),
    [("", True), ("Connection: close\r\n", False), ("Connection: x, CLOSE\r\n", False)],
)
def test_whether_the_connection_may_be_used_again(connection: str, reusable: bool) -> None:
    wire = f"HTTP/1.1 200 OK\r\n{connection}Content-Length: 0\r\n\r\n".encode()
    assert read(wire).reusable is reusable


@pytest.mark.parametrize(
    "line",
    [b"X: " + b" " * 60_000 + b"a", b"X:" + b"\t" * 60_000, b"X" * 60_000, b"a:" * 30_000],
    ids=["spaces", "tabs", "name", "colons"],
)
def test_no_header_line_costs_more_than_its_length(line: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(Failure):
        parse_head(b"HTTP/1.1 200 OK\r\n" + line, 10)
    assert time.process_time() - began < 0.1


def test_interim_answers_are_passed_over() -> None:
    wire = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert read(wire) == Reading("ok", 200, b"ok", True)


def test_a_body_is_digested_and_its_beginning_kept() -> None:
    body = Body(limit=1000)
    for _ in range(5):
        body.write(b"\xff" + b"a" * 99)
    assert body.sha256 == hashlib.sha256((b"\xff" + b"a" * 99) * 5).hexdigest()
    assert body.head_text == ("\\xff" + "a" * 99) * 2
    assert body.count == 500
    assert body.kept() == b""
