"""The gateway's ports: chosen when free, and chosen again when somebody was quicker."""

from __future__ import annotations

import asyncio
import secrets
import socket
from pathlib import Path
from typing import cast

from infra.embedded.address import free_address
from infra.embedded.certs import Authority
from infra.embedded.clock import Clock
from infra.embedded.gateway.front import Front
from infra.embedded.gateway.process import Envoy
from infra.embedded.gateway.programmer import Programmer
from infra.embedded.gateway.settings import GatewaySettings
from infra.embedded.kubelet.channel import Channel
from infra.embedded.kubelet.network import PodNetwork


def test_ports_that_somebody_takes_while_envoy_starts(tmp_path: Path) -> None:
    async def story() -> None:
        name = f"@vpm-test-{secrets.token_hex(6)}"
        network = PodNetwork(cast(Channel, None), {"mode": "loopback"})  # it asks no process
        authority = Authority.open(tmp_path / "pki", "test")
        settings = GatewaySettings(tmp_path, free_address((0,)), 0, 0, authority)
        programmer = Programmer(tmp_path / "gateway", f"{name}/probes", f"{name}/truncator")
        front = Front(Clock(1.0), settings, network, programmer)
        envoy = Envoy(f"{name}/admin")
        bootstrap = programmer.bootstrap(f"{name}/admin")
        await front.open()
        before = front.listeners
        with socket.create_server(before.external), socket.create_server(before.internal):
            with (tmp_path / "envoy.log").open("wb") as log:
                await envoy.start(bootstrap, log.fileno())
            try:
                await front.confirm(envoy)
                assert front.listeners.external != before.external
                assert front.listeners.internal != before.internal
                assert {"http", "https", "internal"} <= await envoy.listening()
                _, writer = await asyncio.open_connection(*front.listeners.external)
                writer.close()
                await writer.wait_closed()
            finally:
                await envoy.stop()

    asyncio.run(story())
