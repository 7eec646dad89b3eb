"""Answers that pause: where they end, and how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.gateway.idle import MESSAGE, TIMED_OUT, Framing

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
LAST = b"f\r\nrequest timeout\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("seen", "ending"),
    [
        (b"", TIMED_OUT),
        (b"HTTP/1.1 200 O", b""),
        (CHUNKED, LAST),
        (CHUNKED + b"3\r\nabc\r\n", LAST),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED, LAST),
        (CHUNKED + b"3\r\na", b""),
        (CHUNKED + b"3", b""),
        (CHUNKED + b"nonsense\r\n", b""),
        (SIZED % 100 + b"abc", MESSAGE),
        (SIZED % 7 + b"abc", MESSAGE[:4]),
    ],
)
def test_how_an_answer_ends(seen: bytes, ending: bytes) -> None:
    framing = Framing()
    if seen:
        framing.feed(seen)
    assert framing.ending() == ending


@pytest.mark.parametrize(
    "seen",
    [
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
        SIZED % 3 + b"abc",
        SIZED % 0,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    ],
)
def test_what_may_pause_for_ever(seen: bytes) -> None:
    framing = Framing()
    framing.feed(seen)
    assert framing.may_pause
    assert framing.ending() == b""


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 50))
def test_pieces_of_any_size_are_framed_alike(chunks: list[bytes], size: int) -> None:
    whole = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    framing = Framing()
    for start in range(0, len(whole), size):
        framing.feed(whole[start : start + size])
    assert framing.ending() == LAST
