"""One run of a plan: the schedule drives the probes, and every attempt becomes a sample."""

from __future__ import annotations

import socket
import ssl
from typing import Callable, Sequence
from urllib.parse import urlsplit

from .clock import NS, ClockReading, mono_ns, read_clocks
from .dial import Dialer
from .loop import Loop, notified, sleep_until
from .outcomes import Failure, Outcome, describe
from .plan import Plan, Target
from .probe_dns import DnsProbe
from .probe_http import HttpProbe
from .probe_tcp import TcpProbe
from .resolve import Resolver
from .rewrite import parse_connect_to, parse_resolve
from .sample import Sample
from .schedule import slots
from .summary import Summary, Tally
from .systemdns import GetAddrInfo, SystemResolver
from .tlsfacts import make_context
from .trace import Slot, Trace
from .ttl import TtlObserver

_NEVER = 1 << 62
_FLUSH_NS = NS // 10


class SetupError(Exception):
    """A target that cannot be probed as the plan says: a CA that cannot be read, for example."""


class Session:
    """Runs one plan once.

    `write` is given each sample as it ends; `flush` is called every tenth of a second, so that
    `write` may hold samples back; as often, `wanted` tells whether to go on. `resolvers` are the
    system's own, which are asked for TTLs; `getaddrinfo` is how the system is asked for addresses.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        write: Callable[[Sample], None],
        flush: Callable[[], None],
        wanted: Callable[[], bool] = lambda: True,
        resolvers: Sequence[str] = (),
        getaddrinfo: GetAddrInfo = socket.getaddrinfo,
    ) -> None:
        self._plan = plan
        self._write = write
        self._flush = flush
        self._wanted = wanted
        self._loop = Loop()
        self._clock = read_clocks()
        self._system = SystemResolver(self._loop, getaddrinfo=getaddrinfo)
        self._probes = [make_probe(target, self._system) for target in plan.targets]
        self._tallies = [
            Tally(target.name, self._probes[i].kind, target.requests + target.warmup)
            for i, target in enumerate(plan.targets)
        ]
        self._ttls = TtlObserver(resolvers)
        self._in_flight = 0
        self._started = 0
        self._late_start_ns = 0
        self._slot_free = object()

    @property
    def clock(self) -> ClockReading:
        """The clocks as they were read at the start: the base of all wall-clock times."""
        return self._clock

    @property
    def wake_fd(self) -> int:
        """For `signal.set_wakeup_fd`."""
        return self._loop.wake_fd

    def stop(self) -> None:
        """End the run early; safe in a signal handler."""
        self._loop.stop()

    def run(self) -> Summary:
        """Run to the end of the schedule, or until `stop`."""
        planned = sum(target.requests + target.warmup for target in self._plan.targets)
        self._loop.spawn(self._dispatch(self._start_ns()))
        self._loop.spawn(self._flush_often(), background=True)
        cut = self._loop.run()
        for probe in self._probes:
            probe.close()
        self._system.close()
        self._loop.close()
        ended = sum(tally.summary().total for tally in self._tallies)
        return Summary(
            vantage=self._plan.vantage,
            ended="completed" if ended == planned else "interrupted",
            clock=read_clocks(),
            planned=planned,
            cut_off=self._started - ended if cut else 0,
            not_started=planned - self._started,
            late_start_s=self._late_start_ns / NS,
            targets=tuple(tally.summary() for tally in self._tallies),
        )

    def _start_ns(self) -> int:
        """The monotonic time of the start: now, if the one asked for has passed or is too far."""
        now = mono_ns()
        if self._plan.start_at is None:
            return now
        asked = self._clock.mono_ns_at(int(self._plan.start_at * NS))
        self._late_start_ns = max(0, now - asked)
        within = self._plan.start_within
        if within is not None and asked - now > within * NS:
            return now
        return max(now, asked)

    async def _flush_often(self) -> None:
        while True:
            await sleep_until(mono_ns() + _FLUSH_NS)
            self._flush()
            if not self._wanted():
                self.stop()

    async def _dispatch(self, start_ns: int) -> None:
        for slot in slots(self._plan.targets, start_ns):
            if slot.due > mono_ns():
                await sleep_until(slot.due)
            while self._in_flight >= self._plan.concurrency:
                await notified(self._slot_free, _NEVER)
            self._in_flight += 1
            self._started += 1
            self._loop.spawn(self._attempt(slot))

    async def _attempt(self, slot: Slot) -> None:
        """One attempt from its start to its sample. Never raises, whatever the server does."""
        target = self._plan.targets[slot.target]
        probe = self._probes[slot.target]
        trace = Trace()
        outcome, detail = Outcome.OK, None
        try:
            await probe.run(trace, trace.start + int(target.timeout * NS))
        except Failure as failure:
            outcome, detail = failure.outcome, failure.detail
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not look like theirs
            outcome, detail = Outcome.PROBER_ERROR, describe(error)
        trace.finish()
        if trace.dns is not None:
            trace.dns = await self._ttls.observed(trace.dns)
        sample = trace.sample(
            target=target.name,
            vantage=self._plan.vantage,
            kind=probe.kind,
            slot=slot,
            clock=self._clock,
            outcome=outcome,
            detail=detail,
        )
        self._tallies[slot.target].add(sample)
        self._write(sample)
        if self._in_flight == self._plan.concurrency:
            self._loop.notify(self._slot_free)
        self._in_flight -= 1


def make_probe(target: Target, system: SystemResolver) -> HttpProbe | TcpProbe | DnsProbe:
    """The probe for `target`; SetupError says what of the plan cannot be used."""
    scheme = urlsplit(target.url).scheme
    try:
        if scheme == "dns":
            return DnsProbe(target)
        secure = scheme in ("https", "tls") or target.max_redirects > 0
        dialer = Dialer(
            resolver=Resolver(system, target.dns, tuple(map(parse_resolve, target.resolve))),
            connect_to=tuple(map(parse_connect_to, target.connect_to)),
            context=make_context(target.tls) if secure else None,
            server_name=target.tls.server_name,
        )
    except (OSError, ValueError, ssl.SSLError) as error:
        raise SetupError(f"target {target.name}: {describe(error)}") from error
    return (TcpProbe if scheme in ("tcp", "tls") else HttpProbe)(target, dialer)
