"""The TCP probe."""

from __future__ import annotations

import pytest

from tests.contract.agent.cases import TIMEOUT
from tests.contract.agent.certificates import Authority, server_context
from tests.contract.agent.running import probe
from tests.contract.agent.servers import Handler, Peer, closed_port, serve


def greets(peer: Peer) -> None:
    peer.send(b"220 ready\r\n")
    peer.hang()


def echoes(peer: Peer) -> None:
    peer.send(peer.sock.recv(100))
    peer.hang()


@pytest.mark.parametrize(
    ("behave", "target", "outcome"),
    [
        (Peer.hang, {}, "ok"),
        (greets, {"expect": {"body": {"regex": "^220 "}}}, "ok"),
        (echoes, {"body": "ping", "expect": {"body": {"exact": "ping"}}}, "ok"),
        (greets, {"expect": {"body": {"contains": "SSH-2.0"}}}, "body_mismatch"),
        (lambda p: p.send(b"no"), {"expect": {"body": {"contains": "SSH"}}}, "body_mismatch"),
        (Peer.hang, {"expect": {"body": {"contains": "SSH"}}}, "wait_timeout"),
        (lambda _: None, {"expect": {"body": {"contains": "SSH"}}}, "closed_without_response"),
        (lambda p: p.flood(b"x" * 9999), {"expect": {"body": {"contains": "SSH"}}}, "too_large"),
    ],
    ids=["connect", "greeting", "echo", "wrong-greeting", "wrong-and-closed", "silent", "closed",
         "endless"],
)  # fmt: skip
def test_each_tcp_server_gets_its_outcome(
    behave: Handler, target: dict[str, object], outcome: str
) -> None:
    limits = {"body_bytes": 100_000}
    with serve(behave) as server:
        url = f"tcp://127.0.0.1:{server.port}"
        sample = probe(url, timeout=TIMEOUT, limits=limits, **target)
    assert (sample.type, sample.outcome) == ("tcp", outcome)
    assert sample.duration_s < TIMEOUT + 0.1
    assert sample.status is None


def test_a_refused_port() -> None:
    with closed_port() as server:
        assert probe(f"tcp://127.0.0.1:{server.port}").outcome == "connect_refused"


def test_tls_without_http(authority: Authority) -> None:
    context = server_context(authority.leaf("127.0.0.1"))

    def handler(peer: Peer) -> None:
        peer.secure(context)
        greets(peer)

    with serve(handler) as server:
        sample = probe(
            f"tls://127.0.0.1:{server.port}",
            tls={"ca_file": str(authority.pem)},
            expect={"body": {"contains": "220"}},
        )
    assert sample.outcome == "ok"
    assert sample.tls is not None
