"""TLS servers, good and bad: verification is on, and what is wrong is named."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.agent.sample import Sample
from tests.contract.agent.cases import OK, TIMEOUT, answers
from tests.contract.agent.certificates import Authority, server_context
from tests.contract.agent.running import probe, prompt, run_plan
from tests.contract.agent.servers import Handler, Peer, serve


def over_tls(leaf: Path, behave: Handler) -> Handler:
    """`behave`, once a handshake has shown `leaf`."""
    context = server_context(leaf)

    def handler(peer: Peer) -> None:
        peer.secure(context)
        behave(peer)

    return handler


def bare(data: bytes) -> Handler:
    """Say something below TLS, as somebody on the path or another process could."""

    def then(peer: Peer) -> None:
        os.write(peer.sock.fileno(), data)
        peer.hang()

    return then


def takes_leave(peer: Peer) -> None:
    """End the TLS stream as one should, and leave the connection open."""
    assert isinstance(peer.sock, ssl.SSLSocket)
    with contextlib.suppress(OSError):
        peer.sock.unwrap()
    peer.hang()


def tls_probe(port: int, authority: Authority, **target: object) -> Sample:
    tls = {"ca_file": str(authority.pem)}
    settings = {"tls": tls, "timeout": TIMEOUT, "resolve": [f"good.test:{port}:127.0.0.1"]}
    return prompt(
        lambda: probe(f"https://good.test:{port}/", **{**settings, **target}),
        within=TIMEOUT + 0.1,
    )


def test_a_good_server_is_described(authority: Authority) -> None:
    with serve(over_tls(authority.leaf("good.test", "127.0.0.1"), answers(OK))) as server:
        sample = tls_probe(server.port, authority)
    assert sample.outcome == "ok"
    assert list(sample.phases) == ["connect", "tls", "send", "wait", "transfer"]
    assert sample.tls is not None
    assert sample.tls.version == "TLSv1.3"
    assert sample.tls.subject == "commonName=good.test"
    assert sample.tls.issuer == "commonName=trusted"
    assert sample.tls.sans == ("DNS:good.test", "IP Address:127.0.0.1")
    assert sample.tls.verified
    assert (sample.tls.not_before or "") < sample.start_utc < (sample.tls.not_after or "")


@pytest.mark.parametrize(
    ("make_leaf", "outcome"),
    [
        (lambda good, _bad: good.leaf("good.test", starts=-9, ends=-1), "tls_expired"),
        (lambda good, _bad: good.leaf("good.test", starts=1, ends=9), "tls_not_yet_valid"),
        (lambda good, _bad: good.leaf("other.test"), "tls_name_mismatch"),
        (lambda _good, bad: bad.leaf("good.test"), "tls_untrusted"),
        (lambda good, _bad: good.sub("old", starts=-9, ends=-1).leaf("good.test"), "tls_expired"),
        (lambda good, _bad: good.leaf("*.good.test"), "tls_name_mismatch"),
        (lambda good, _bad: good.leaf("127.0.0.1"), "tls_name_mismatch"),
    ],
    ids=["expired", "not-yet-valid", "wrong-name", "unknown-authority", "expired-intermediate",
         "wildcard-of-others", "address-instead-of-name"],
)  # fmt: skip
def test_each_bad_certificate_gets_its_outcome(
    make_leaf: Callable[[Authority, Authority], Path],
    outcome: str,
    authority: Authority,
    stranger: Authority,
) -> None:
    with serve(over_tls(make_leaf(authority, stranger), answers(OK))) as server:
        sample = tls_probe(server.port, authority)
        unverified = tls_probe(server.port, authority, tls={"verify": False})
    assert (sample.outcome, sample.hop) == (outcome, "tls")
    assert sample.detail is not None
    assert sample.detail.startswith("certificate: ")
    assert unverified.outcome == "ok"
    assert sample.tls is not None
    assert unverified.tls is not None
    assert not sample.tls.verified
    assert not unverified.tls.verified
    assert unverified.tls.not_after is not None
    assert sample.tls.sha256 == unverified.tls.sha256
    assert sample.tls.not_after == unverified.tls.not_after


def test_a_wrong_address_is_a_name_mismatch(authority: Authority) -> None:
    with serve(over_tls(authority.leaf("127.0.0.9"), answers(OK))) as server:
        url = f"https://127.0.0.1:{server.port}/"
        sample = probe(url, timeout=TIMEOUT, tls={"ca_file": str(authority.pem)})
    assert sample.outcome == "tls_name_mismatch"


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (lambda peer: peer.send(OK), "tls_error"),
        (lambda peer: peer.send(b"SSH-2.0-OpenSSH_9.2\r\n" * 20), "tls_error"),
        (Peer.hang, "tls_timeout"),
        (lambda peer: peer.drip(b"\x16\x03\x03\x40\x00" + b"\x02" * 500), "tls_timeout"),
        (lambda _: None, "tls_error"),
        (Peer.reset, "tls_error"),
        (lambda peer: peer.send(b"\x15\x03\x01\x00\x02\x02\x46"), "tls_error"),
        (lambda peer: peer.send(b"\x16\x03\x03\x40\x00" + b"\0" * 0x4000), "tls_error"),
        (lambda peer: peer.send(b"\x16\x03\x03\xff\xff" + b"\2" * 0xFFFF), "tls_error"),
    ],
    ids=["plain-http", "ssh", "silent", "dripping", "closes", "resets", "old-versions-only",
         "zeros", "too-long-a-record"],
)  # fmt: skip
def test_what_is_no_tls_server(behave: Handler, outcome: str, authority: Authority) -> None:
    with serve(behave) as server:
        sample = tls_probe(server.port, authority)
    assert (sample.outcome, sample.hop) == (outcome, "tls")
    assert "send" not in sample.phases


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (answers(then=Peer.hang), "wait_timeout"),
        (answers(then=Peer.reset), "reset"),
        (answers(), "closed_without_response"),
        (answers(OK[:-2], then=Peer.hang), "transfer_timeout"),
        (answers(OK[:-2]), "truncated"),
        (answers(b"HTTP/1.1 200 OK\r\n\r\nabc"), "truncated"),
        (answers(OK[:-2], then=Peer.reset), "truncated"),
        (answers(OK + b"more"), "malformed_response"),
        (answers(OK[:-2], then=takes_leave), "truncated"),
        (answers(b"HTTP/1.1 200 OK\r\n\r\nabc", then=takes_leave), "ok"),
        (answers(OK[:-2], then=bare(b"\x17\x03\x03\x00\x20" + b"\0" * 32)), "malformed_response"),
        (answers(OK[:-2], then=bare(b"\x17\x03\x03\xff\xff")), "malformed_response"),
        (answers(OK[:-2], then=bare(b"lo, in plain")), "malformed_response"),
        (answers(then=bare(b"\x17\x03\x03\x00\x20" + b"\0" * 32)), "tls_error"),
        (answers(then=bare(OK)), "tls_error"),
    ],
    ids=["silent", "resets", "closes", "silent-in-body", "closes-in-body",
         "unbounded-body-without-alert", "resets-in-body", "longer-than-length",
         "says-goodbye-in-body", "says-goodbye-after-unbounded-body", "forged-record-in-body",
         "too-long-a-record-in-body", "plain-text-in-body", "forged-record", "plain-text"],
)  # fmt: skip
def test_bad_servers_behind_tls(behave: Handler, outcome: str, authority: Authority) -> None:
    with serve(over_tls(authority.leaf("good.test"), behave)) as server:
        assert tls_probe(server.port, authority).outcome == outcome


def test_a_server_that_wants_a_client_certificate(authority: Authority) -> None:
    context = server_context(authority.leaf("good.test"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.pem)

    def handler(peer: Peer) -> None:
        peer.secure(context)
        answers(OK)(peer)

    with serve(handler) as server:
        sample = tls_probe(server.port, authority)
    assert (sample.outcome, sample.hop) == ("tls_error", "tls")


def test_a_server_that_knows_no_such_name(authority: Authority) -> None:
    context = server_context(authority.leaf("good.test"))
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    with serve(lambda peer: peer.secure(context)) as server:
        sample = tls_probe(server.port, authority)
    assert (sample.outcome, sample.hop) == ("tls_error", "tls")


def test_a_good_intermediate_authority_is_trusted(authority: Authority) -> None:
    leaf = authority.sub("between", starts=-1, ends=1).leaf("good.test")
    with serve(over_tls(leaf, answers(OK))) as server:
        assert tls_probe(server.port, authority).outcome == "ok"


def test_no_common_cipher(authority: Authority) -> None:
    context = server_context(authority.leaf("good.test"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-SHA256")
    with serve(lambda peer: peer.secure(context)) as server:
        assert tls_probe(server.port, authority).outcome == "tls_error"


def test_plain_text_to_a_tls_server(authority: Authority) -> None:
    with serve(over_tls(authority.leaf("good.test"), answers(OK))) as server:
        sample = probe(f"http://127.0.0.1:{server.port}/", timeout=TIMEOUT)
    # OpenSSL as a server answers with an alert or only closes, by its version.
    assert sample.outcome in ("malformed_response", "closed_without_response", "reset")


def test_keep_alive_over_tls_shakes_hands_once(authority: Authority) -> None:
    def serve_two(peer: Peer) -> None:
        for _ in range(2):
            peer.request()
            peer.send(OK)

    with serve(over_tls(authority.leaf("good.test"), serve_two)) as server:
        target = {
            "name": "t",
            "url": f"https://good.test:{server.port}/",
            "requests": 2,
            "rate": 1000,
            "keepalive": True,
            "resolve": [f"good.test:{server.port}:127.0.0.1"],
            "tls": {"ca_file": str(authority.pem)},
        }
        (first, second), _ = run_plan({"concurrency": 1, "targets": [target]})
    assert (first.outcome, first.reused) == ("ok", False)
    assert (second.outcome, second.reused) == ("ok", True)
    assert list(second.phases) == ["send", "wait", "transfer"]
    assert second.tls == first.tls
