"""TTLs of what the system's resolver answered: getaddrinfo does not tell them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Sequence

from .addresses import Address, parse_server
from .clock import NS, mono_ns
from .dnsclient import lookup_addresses
from .outcomes import Failure
from .sample import DnsFacts

_BUDGET_NS = 3 * NS // 10
_ASK_AGAIN_NS = 10 * NS
_NAMES = 256


class TtlObserver:
    """Asks the configured resolvers directly, now and then, when no phase is being timed.

    Their answer is added only where it explains the system's: names from ``/etc/hosts`` or a
    search list keep their addresses without a TTL.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers: list[Address] = []
        for server in servers:
            with contextlib.suppress(ValueError):
                self._servers.append(parse_server(server))
        self._known: dict[str, tuple[int, DnsFacts | None]] = {}

    async def observed(self, facts: DnsFacts) -> DnsFacts:
        """`facts` with aliases, TTLs and resolver, where they can be known."""
        host = facts.names[0]
        if facts.source != "system" or "." not in host or not facts.answers:
            return facts
        asked_at, answer = self._known.get(host, (0, None))
        now = mono_ns()
        if self._servers and (not asked_at or now - asked_at > _ASK_AGAIN_NS):
            if len(self._known) >= _NAMES:
                self._known.clear()
            # Noted before asking, so that attempts at the same time do not all ask.
            self._known[host] = (now, answer)
            with contextlib.suppress(Failure):
                answer = await lookup_addresses(self._servers, host, "any", now + _BUDGET_NS)
                self._known[host] = (now, answer)
        if answer is None:
            return facts
        ttls = {address: answer.ttls[i] for i, address in enumerate(answer.answers)}
        if not ttls.keys() >= set(facts.answers):
            return facts
        return replace(
            facts,
            names=answer.names,
            ttls=tuple(ttls[address] for address in facts.answers),
            resolver=answer.resolver,
        )
