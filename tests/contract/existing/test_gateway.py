"""Gateways that answer, and port-forwards: real sockets and processes."""

from __future__ import annotations

import sys

import pytest

from infra.clusters.errors import GatewayUnreachable
from infra.clusters.gateway import answers, port_forward
from tests.support.api_server import serving
from tests.support.fake_install import gateway
from tests.support.fake_kube import FakeKube


def test_a_gateway_is_recognised_by_envoys_404() -> None:
    with gateway() as port:
        assert answers("127.0.0.1", port) is None
    assert "refused" in (answers("127.0.0.1", port) or "")


def test_a_port_forward_ends_with_its_block() -> None:
    script = (
        "import sys, time; print('Forwarding from 127.0.0.1:43210 -> 8080', flush=True);"
        "sys.stdin.close(); time.sleep(60)"
    )
    with port_forward([sys.executable, "-IS", "-c", script]) as found:
        assert (found.host, found.http_port) == ("127.0.0.1", 43210)


def test_a_port_forward_that_fails_is_quoted() -> None:
    script = "import sys; sys.exit('error: unable to forward port: pod is not running')"
    with (
        pytest.raises(GatewayUnreachable, match="pod is not running"),
        port_forward([sys.executable, "-IS", "-c", script]),
    ):
        pass


def test_a_port_forward_that_says_nothing_still_has_a_reason() -> None:
    with (
        pytest.raises(GatewayUnreachable, match="it named no port"),
        port_forward([sys.executable, "-IS", "-c", ""]),
    ):
        pass


def test_another_server_is_not_taken_for_a_gateway() -> None:
    with serving(FakeKube()) as server:
        assert "not 404 from envoy" in (answers("127.0.0.1", server.server_port) or "")
