"""Certificates that strict clients accept: Python checks strictly from 3.13 on."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

from infra.embedded.certs import Authority


def test_a_strict_client_accepts_what_the_authority_issues(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, "sample")
    certificate, key = authority.issue("server", ["localhost", "127.0.0.1"]).save(tmp_path, "it")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    asking = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with serving.wrap_socket(theirs, server_side=True) as answered:
            answered.sendall(b"hello")

    server = threading.Thread(target=serve)
    server.start()
    with asking.wrap_socket(ours, server_hostname="localhost") as connected:
        assert connected.recv(5) == b"hello"
    server.join(timeout=5)
    assert not server.is_alive()
