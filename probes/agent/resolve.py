"""The phase resolve: from a host name to socket addresses, as the plan's policy says."""

from __future__ import annotations

import functools
import socket
from dataclasses import dataclass

from .addresses import Address, literal, parse_server
from .clock import NS, mono_ns
from .dnsclient import lookup_addresses
from .magic import spelled_address
from .outcomes import Failure
from .plan import Dns
from .rewrite import ResolveRule, apply_resolve
from .sample import DnsFacts
from .systemdns import SystemResolver

_FAMILY = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}

# On a machine without a network each lookup of a magic name would cost its whole deadline, so the
# system's resolver gets a second at most, and a failure is remembered for a while.
_MAGIC_BUDGET_NS = NS
_MAGIC_MEMORY_NS = 10 * NS
_MAGIC_NAMES = 256


@dataclass(frozen=True)
class Resolved:
    """Where a name leads, and how that was found out; no facts for a literal address."""

    addresses: tuple[Address, ...]
    facts: DnsFacts | None = None


class Resolver:
    """Resolves the names of one target."""

    def __init__(self, system: SystemResolver, policy: Dns, rules: tuple[ResolveRule, ...]) -> None:
        self._system = system
        self._policy = policy
        self._rules = rules
        self._family = _FAMILY[policy.family]
        self._servers = tuple(parse_server(text) for text in policy.servers)
        self.given = functools.lru_cache(maxsize=64)(self._given)
        self._magic_failures: dict[str, tuple[int, str]] = {}

    def _given(self, host: str, port: int) -> Resolved | None:
        """Addresses that need no lookup: a literal one, or those of the plan's resolve rules."""
        address = literal(host, port)
        if address is not None:
            return Resolved((address,))
        texts = apply_resolve(self._rules, host, port)
        if not texts:
            return None
        found = tuple(each for each in (literal(text, port) for text in texts) if each)
        return Resolved(found, DnsFacts("plan", False, (host,), texts))

    async def lookup(self, host: str, port: int, deadline: int) -> Resolved:
        """Look `host` up; Failure with an outcome of the hop resolve."""
        if self._policy.timeout is not None:
            deadline = min(deadline, mono_ns() + int(self._policy.timeout * NS))
        if self._policy.mode == "servers":
            return await self._ask_servers(host, port, deadline)
        spelled = spelled_address(host) if self._policy.mode == "auto" else None
        if spelled is None:
            return await self._ask_system(host, port, deadline)
        return await self._magic(host, port, spelled, deadline)

    async def _ask_system(self, host: str, port: int, deadline: int) -> Resolved:
        found = await self._system.lookup(host, port, self._family, deadline)
        answers = tuple(str(address[1][0]) for address in found)
        return Resolved(tuple(found), DnsFacts("system", True, (host,), answers))

    async def _ask_servers(self, host: str, port: int, deadline: int) -> Resolved:
        facts = await lookup_addresses(self._servers, host, self._policy.family, deadline)
        found = (literal(answer, port) for answer in facts.answers)
        return Resolved(tuple(address for address in found if address), facts)

    async def _magic(self, host: str, port: int, spelled: str, deadline: int) -> Resolved:
        """The system's answer, or else the address that the name spells, marked not checked."""
        now = mono_ns()
        failed_at, detail = self._magic_failures.get(host, (0, ""))
        if not detail or now - failed_at > _MAGIC_MEMORY_NS:
            budget = min(_MAGIC_BUDGET_NS, (deadline - now) // 2)
            try:
                return await self._ask_system(host, port, now + budget)
            except Failure as failure:
                detail = f"system resolver: {failure.outcome.value}: {failure.detail}"
                if len(self._magic_failures) >= _MAGIC_NAMES:
                    self._magic_failures.clear()
                self._magic_failures[host] = (mono_ns(), detail)
        address = literal(spelled, port)
        facts = DnsFacts("magic", False, (host,), (spelled,), detail=detail)
        return Resolved((address,) if address else (), facts)
