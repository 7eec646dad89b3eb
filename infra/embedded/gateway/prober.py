"""Probes of routes through Envoy: has a new version taken effect?"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from infra.embedded.gateway.envoy import USER_AGENT
from infra.embedded.gateway.routes import Routing

ATTEMPT_SECONDS = 2.0
_FIRST_PAUSE, _LAST_PAUSE = 0.002, 0.1


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the gateway's listeners are reached from this process."""

    external: tuple[str, int]
    internal: tuple[str, int]


def targets(routing: Routing) -> Iterable[tuple[str, bool]]:
    """A host of each rule, and whether on the external listener.

    Envoy has a rule's hosts as one virtual host: the last, the full name, speaks for all.  Where
    the external listener redirects to HTTPS, the internal one tells.
    """
    for rule in routing.rules:
        if rule.hosts:
            yield rule.hosts[-1], rule.external and not routing.redirect


async def wait_until_served(routing: Routing, listeners: Listeners) -> None:
    """Return when every host answers with this version of the routing; cancel to give up."""
    for host, external in targets(routing):
        address = listeners.external if external else listeners.internal
        pause = _FIRST_PAUSE
        while await _ask(host, address) != routing.version:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE)


async def _ask(host: str, address: tuple[str, int]) -> str | None:
    """The version that a host's route shows; None when there is no such answer."""
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            reader, writer = await asyncio.open_connection(*address)
            try:
                writer.write(
                    f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\n"
                    "K-Network-Probe: probe\r\nK-Network-Hash: override\r\n"
                    "Connection: close\r\n\r\n".encode()
                )
                head = await reader.readuntil(b"\r\n\r\n")
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return None
    return _version(head)


def _version(head: bytes) -> str | None:
    """The version in an answer's head; None unless its status is 200."""
    first, *lines = head.decode("latin-1").split("\r\n")
    if first.split(" ")[1:2] != ["200"]:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "k-network-hash":
            return value.strip()
    return None
