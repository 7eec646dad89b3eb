"""The DNS probe: one question, and the answers with their TTLs."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from .addresses import parse_server
from .body import body_mismatch
from .clock import NS
from .dnsclient import ask, system_servers
from .dnswire import RCODES, TYPES
from .outcomes import Failure, Outcome
from .plan import Target
from .sample import DnsFacts
from .trace import Trace


class DnsProbe:
    """Probes ``dns://name?type=A`` at the plan's resolvers, or the system's own.

    Body checks look at the answers, one a line, sorted.
    """

    kind = "dns"

    def __init__(self, target: Target) -> None:
        parts = urlsplit(target.url)
        self._name = parts.hostname or ""
        self._record = parse_qs(parts.query).get("type", ["A"])[-1].upper()
        if self._record not in TYPES:
            raise ValueError(f"type: expected one of {', '.join(TYPES)}, got {self._record}")
        servers = target.dns.servers or system_servers()
        if not servers:
            raise ValueError("no resolver given and none in /etc/resolv.conf")
        self._servers = [parse_server(server) for server in servers]
        self._target = target

    async def run(self, trace: Trace, deadline: int) -> None:
        """One attempt, noted in `trace`; Failure unless the expected answers came."""
        now = trace.enter("resolve")
        if self._target.dns.timeout is not None:
            deadline = min(deadline, now + int(self._target.dns.timeout * NS))
        (message,), resolver = await ask(self._servers, self._name, (self._record,), deadline)
        wanted = [record for record in message.answers if record.type == self._record]
        names = [record.data for record in message.answers if record.type == "CNAME"]
        trace.dns = DnsFacts(
            source="servers",
            checked=True,
            names=(self._name, *(names if self._record != "CNAME" else ())),
            answers=tuple(record.data for record in wanted),
            ttls=tuple(record.ttl for record in wanted),
            resolver=resolver,
        )
        if not wanted:
            code = RCODES.get(message.rcode, str(message.rcode))
            reason = f"{resolver}: no {self._record} of {self._name} ({code})"
            raise Failure(Outcome.DNS_NOT_FOUND, reason)
        text = "\n".join(sorted(record.data for record in wanted))
        mismatch = body_mismatch(self._target.expect.body, text.encode())
        if mismatch is not None:
            raise Failure(Outcome.BODY_MISMATCH, mismatch)

    def close(self) -> None:
        """Nothing is kept between attempts."""
