"""The bad servers: what each does, and the outcomes that are right for it."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.contract.agent.servers import Peer

TIMEOUT = 0.4
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """A server's behaviour after the connection stands, and how it is probed.

    More than one outcome is right where the client's and the server's packets cross.
    """

    id: str
    behave: Callable[[Peer], None]
    outcomes: tuple[str, ...]
    target: Mapping[str, Any] = field(default_factory=dict)


def case(id: str, behave: Callable[[Peer], None], *outcomes: str, **target: Any) -> Case:
    return Case(id, behave, outcomes, target)


def answers(*pieces: bytes, then: Callable[[Peer], None] | None = None) -> Callable[[Peer], None]:
    """A server that reads the request, sends `pieces`, and then closes or does `then`."""

    def behave(peer: Peer) -> None:
        peer.request()
        for piece in pieces:
            peer.send(piece)
        if then is not None:
            then(peer)

    return behave


def floods(start: bytes, piece: bytes) -> Callable[[Peer], None]:
    return answers(start, then=lambda peer: peer.flood(piece))


def drips(start: bytes, piece: bytes) -> Callable[[Peer], None]:
    return answers(start, then=lambda peer: peer.drip(piece))


def early_refusal(peer: Peer) -> None:
    """Answer before the request has been read, and close."""
    peer.sock.recv(1000)
    peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    peer.hang()


def refuses_and_closes(peer: Peer) -> None:
    """The same, and close with the rest of the request unread: the kernel sends a reset."""
    peer.sock.recv(1000)
    peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")


def never_reads(peer: Peer) -> None:
    peer.hang()


def resets_upload(peer: Peer) -> None:
    peer.sock.recv(1000)
    peer.reset()


def half_closes(*pieces: bytes) -> Callable[[Peer], None]:
    """A server that says its last word, and then only listens."""

    def then(peer: Peer) -> None:
        peer.sock.shutdown(socket.SHUT_WR)
        peer.hang()

    return answers(*pieces, then=then)


def leads_on_for_ever() -> Callable[[Peer], None]:
    """A server whose every answer leads to yet another page."""
    pages = count(1)

    def behave(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n" % next(pages))

    return behave


def leads_on_slowly(peer: Peer) -> None:
    """Each redirect takes its time: the timeout is for all of them together."""
    peer.request()
    if not peer.stopped.wait(0.15):
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")


BOMB = gzip.compress(b"\0" * 10_000_000)
BIG_UPLOAD: dict[str, Any] = {"method": "POST", "body": "x" * 8_000_000}

HTTP_CASES = (
    # The first byte never comes.
    case("silent", answers(then=Peer.hang), "wait_timeout"),
    case("closes-after-request", answers(), "closed_without_response"),
    case("resets-after-request", answers(then=Peer.reset), "reset"),
    case("closes-at-once", lambda _: None, "closed_without_response", "reset", "send_reset"),
    case("resets-at-once", Peer.reset, "reset", "send_reset"),
    # The request does not get through.
    case("never-reads-upload", never_reads, "send_timeout", **BIG_UPLOAD),
    case("resets-upload", resets_upload, "send_reset", **BIG_UPLOAD),
    case("answers-before-reading", early_refusal, "status_mismatch", **BIG_UPLOAD),
    case("answers-and-resets-upload", refuses_and_closes, "status_mismatch", **BIG_UPLOAD),
    # The answer does not end.
    case("drips-status-line", drips(b"", b"HTTP/1.1 200 " + b"O" * 500), "transfer_timeout"),
    case("drips-header", drips(HEAD, b"X-A: b\r\n"), "transfer_timeout"),
    case("drips-body", drips(HEAD + b"Content-Length: 5000\r\n\r\n", b"a"), "transfer_timeout"),
    case("drips-unbounded-body", drips(HEAD + b"\r\n", b"a"), "transfer_timeout"),
    case("drips-chunks", drips(CHUNKED, b"1\r\na\r\n"), "transfer_timeout"),
    # It never stops, so that nobody ever waits for it: the deadline must not depend on waiting.
    case(
        "floods-with-padded-chunks",
        floods(CHUNKED, (b"1;" + b"x" * 60 + b"\r\na\r\n") * 1000),
        "transfer_timeout",
        "too_large",
    ),
    case("silent-in-header", answers(HEAD + b"X-A: b\r\n", then=Peer.hang), "transfer_timeout"),
    case("silent-in-body", answers(OK[:-2], then=Peer.hang), "transfer_timeout"),
    case("silent-in-chunk", answers(CHUNKED + b"5\r\nab", then=Peer.hang), "transfer_timeout"),
    case(
        "silent-after-last-chunk", answers(CHUNKED + b"0\r\n", then=Peer.hang), "transfer_timeout"
    ),
    case(
        "silent-after-interim",
        answers(b"HTTP/1.1 100 Continue\r\n\r\n", then=Peer.hang),
        "transfer_timeout",
    ),
    case("leads-on-slowly", leads_on_slowly, "wait_timeout", max_redirects=20),
    # The answer ends too early.
    case("half-closes-at-once", half_closes(), "closed_without_response"),
    case("half-closes-in-body", half_closes(OK[:-2]), "truncated"),
    case("closes-after-interim", answers(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "truncated"),
    case("closes-in-status-line", answers(b"HTTP/1.1 2"), "truncated"),
    case("closes-in-header", answers(HEAD + b"X-A: b\r\n"), "truncated"),
    case("closes-in-body", answers(OK[:-2]), "truncated"),
    case("resets-in-header", answers(HEAD, then=Peer.reset), "truncated"),
    case("resets-in-body", answers(OK[:-2], then=Peer.reset), "truncated"),
    case("resets-unbounded-body", answers(HEAD + b"\r\nabc", then=Peer.reset), "truncated"),
    case("closes-in-chunk", answers(CHUNKED + b"5\r\nab"), "truncated"),
    case("closes-before-last-chunk", answers(CHUNKED + b"2\r\nab\r\n"), "truncated"),
    # The answer lies about its length.
    case("longer-than-length", answers(OK + b"more"), "malformed_response"),
    case(
        "body-with-204",
        answers(b"HTTP/1.1 204 No Content\r\n\r\nbody"),
        "malformed_response",
    ),
    case(
        "two-lengths",
        answers(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        "malformed_response",
    ),
    case("negative-length", answers(HEAD + b"Content-Length: -5\r\n\r\n"), "malformed_response"),
    case("length-in-words", answers(HEAD + b"Content-Length: five\r\n\r\n"), "malformed_response"),
    case(
        "length-of-thirty-digits",
        answers(HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n"),
        "malformed_response",
    ),
    case(
        "length-and-chunked",
        answers(HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "malformed_response",
    ),
    case(
        "unknown-coding",
        answers(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        "malformed_response",
    ),
    case("bad-chunk-size", answers(CHUNKED + b"xyz\r\n"), "malformed_response"),
    case("chunk-longer-than-size", answers(CHUNKED + b"2\r\nabcd\r\n"), "malformed_response"),
    case("chunk-size-without-cr", answers(CHUNKED + b"2\nab\r\n"), "malformed_response"),
    case("huge-chunk-size", answers(CHUNKED + b"f" * 16 + b"\r\n"), "malformed_response"),
    case(
        "plus-in-length", answers(HEAD + b"Content-Length: +5\r\n\r\nhello"), "malformed_response"
    ),
    case("empty-length", answers(HEAD + b"Content-Length:\r\n\r\nhello"), "malformed_response"),
    case("body-with-304", answers(b"HTTP/1.1 304 No\r\n\r\nbody"), "malformed_response"),
    case("more-after-last-chunk", answers(CHUNKED + b"0\r\n\r\nmore"), "malformed_response"),
    case("negative-chunk-size", answers(CHUNKED + b"-1\r\n"), "malformed_response"),
    case("prefixed-chunk-size", answers(CHUNKED + b"0x5\r\nhello\r\n"), "malformed_response"),
    case("chunk-without-size", answers(CHUNKED + b";ext\r\n"), "malformed_response"),
    case(
        "chunked-in-http-1.0",
        answers(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "malformed_response",
    ),
    # The answer has no end that fits anywhere.
    case("endless-body", floods(HEAD + b"\r\n", b"a" * 65536), "too_large"),
    case("endless-chunks", floods(CHUNKED, b"ffff\r\n" + b"a" * 65535 + b"\r\n"), "too_large"),
    case("huge-length", answers(HEAD + b"Content-Length: 99999999999\r\n\r\n"), "too_large"),
    case("endless-headers", floods(HEAD, b"X-A: b\r\n" * 1000), "too_large"),
    case("endless-header-line", floods(HEAD + b"X-A: ", b"b" * 65536), "too_large"),
    case("too-many-headers", answers(HEAD + b"A: b\r\n" * 300 + b"\r\n"), "too_large"),
    case("endless-interim", floods(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100), "too_large"),
    case("endless-reason", floods(b"HTTP/1.1 200 ", b"O" * 65536), "too_large"),
    case("endless-trailers", floods(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 1000), "too_large"),
    case("endless-chunk-line", floods(CHUNKED + b"5;", b"b" * 65536), "malformed_response"),
    # The answer is not HTTP/1.1.
    case("http-0.9", answers(b"<html>hello</html>"), "malformed_response"),
    case("http-2", answers(b"\0\0\x12\x04\0\0\0\0\0" + b"\0" * 18), "malformed_response"),
    case("http-2-by-name", answers(b"HTTP/2.0 200 OK\r\n\r\n"), "malformed_response"),
    case("http-2-preface", answers(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "malformed_response"),
    case("http-in-small-letters", answers(b"http/1.1 200 ok\r\n\r\n"), "malformed_response"),
    case("a-request", answers(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "malformed_response"),
    case("tls-alert", answers(b"\x15\x03\x01\x00\x02\x02\x28"), "malformed_response"),
    case(
        "ssh-banner",
        lambda peer: peer.send(b"SSH-2.0-OpenSSH_9.2\r\n"),
        "malformed_response",
        "send_reset",
        "reset",
    ),
    case("zeros", floods(b"", b"\0" * 65536), "malformed_response"),
    case(
        "bare-line-feeds", answers(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "malformed_response"
    ),
    case("bad-status-line", answers(b"HTTP/1.1 fine\r\n", then=Peer.hang), "malformed_response"),
    case("status-999", answers(b"HTTP/1.1 999 Odd\r\n\r\n"), "malformed_response"),
    case("folded-header", answers(HEAD + b"X-A: b\r\n c\r\n\r\n"), "malformed_response"),
    case("space-before-colon", answers(HEAD + b"X-A : b\r\n\r\n"), "malformed_response"),
    case("zero-in-header", answers(HEAD + b"X-A: b\0c\r\n\r\n"), "malformed_response"),
    case("header-without-colon", answers(HEAD + b"nonsense\r\n\r\n"), "malformed_response"),
    # The answer is HTTP, and wrong.
    case(
        "error-500", answers(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), "status_mismatch"
    ),
    case(
        "redirect",
        answers(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
        "status_mismatch",
    ),
    case(
        "redirect-loop",
        answers(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
        "status_mismatch",
        max_redirects=3,
    ),
    case(
        "redirect-to-nonsense",
        answers(b"HTTP/1.1 302 Found\r\nLocation: http://[::/x\r\nContent-Length: 0\r\n\r\n"),
        "status_mismatch",
        max_redirects=3,
    ),
    *(
        case(
            f"redirect-to-{name}",
            answers(b"HTTP/1.1 302 No\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % url),
            "dns_not_found",
            "dns_error",
            "dns_timeout",
            max_redirects=3,
        )
        for name, url in (
            ("a-zero-byte", b"http://a%00b/"),
            ("a-scope-that-is-none", b"http://[fe80::1%25nowhere]/"),
            ("a-host-without-end", b"http://" + b"a" * 5000 + b"/"),
        )
    ),
    case("leads-on-for-ever", leads_on_for_ever(), "status_mismatch", max_redirects=20),
    case(
        "redirect-to-another-protocol",
        answers(b"HTTP/1.1 302 No\r\nLocation: gopher://x/\r\nContent-Length: 0\r\n\r\n"),
        "status_mismatch",
        max_redirects=3,
    ),
    case(
        "switching-protocols",
        answers(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n"),
        "status_mismatch",
    ),
    case("other-service", answers(OK), "body_mismatch", expect={"body": {"contains": "world"}}),
    case("other-service-exact", answers(OK), "body_mismatch", expect={"body": {"exact": "hell"}}),
    case("other-service-regex", answers(OK), "body_mismatch", expect={"body": {"regex": "^h.l$"}}),
    # Odd, and right.
    case("length", answers(OK), "ok"),
    case("byte-by-byte", answers(*(OK[i : i + 1] for i in range(len(OK)))), "ok"),
    case(
        "chunked",
        answers(CHUNKED + b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n"),
        "ok",
        expect={"body": {"exact": "hello"}},
    ),
    case(
        "until-close",
        answers(b"HTTP/1.0 200 OK\r\n\r\nhello"),
        "ok",
        expect={"body": {"exact": "hello"}},
    ),
    case("interim-first", answers(b"HTTP/1.1 100 Continue\r\n\r\n", OK), "ok"),
    case("reset-after-answer", answers(OK, then=Peer.reset), "ok"),
    case("head", answers(OK[:-5]), "ok", method="HEAD"),
    case("half-closes-after-answer", half_closes(OK), "ok"),
    case("half-closes-unbounded-body", half_closes(HEAD + b"\r\nhello"), "ok"),
    case(
        "chunked-in-capitals", answers(HEAD + b"TRANSFER-ENCODING: Chunked\r\n\r\n0\r\n\r\n"), "ok"
    ),
    case(
        "quoted-chunk-extension",
        answers(CHUNKED + b'5 ;a="b;\\"c" ;d\r\nhello\r\n00;e\r\n\r\n'),
        "ok",
        expect={"body": {"exact": "hello"}},
    ),
    # What is counted is what came over the wire: nothing is unpacked.
    case(
        "compressed-bomb",
        answers(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
        "ok",
    ),
    case("same-length-twice", answers(HEAD + b"Content-Length: 5, 5\r\n\r\nhello"), "ok"),
    case("no-reason", answers(b"HTTP/1.1 204\r\n\r\n"), "ok"),
    case(
        "expected-error",
        answers(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        "ok",
        expect={"status": ["404", "5xx"]},
    ),
)

assert len({case.id for case in HTTP_CASES}) == len(HTTP_CASES)
