"""What is noted while an attempt runs, and the sample that comes of it."""

from __future__ import annotations

from typing import NamedTuple

from .addresses import address_text, without_credentials
from .body import Body
from .clock import NS, ClockReading, mono_ns, utc_text
from .http1 import Head
from .outcomes import HOP_OF, Failure, Outcome
from .sample import Attempted, DnsFacts, Sample, TlsFacts

# Who answered, and what it was: enough to tell the gateway from the app behind it.
REPORTED_HEADERS = (
    "server",
    "x-envoy-upstream-service-time",
    "content-type",
    "location",
    "date",
    "via",
)


class Slot(NamedTuple):
    """One place in the schedule: request `seq` of `target` (an index) at `due` (monotonic ns)."""

    due: int
    target: int
    seq: int
    warmup: bool


class Tried(NamedTuple):
    """A connection that was tried, as noted while the clock runs: put into words afterwards."""

    sockaddr: tuple[object, ...]
    spent_ns: int
    failure: Failure | None


class Trace:
    """The notebook of one attempt; `enter` ends one phase and begins the next."""

    __slots__ = ("_phase", "_since", "body", "dns", "head", "local", "peer", "phases",
                 "redirects", "reused", "start", "tls", "tried")  # fmt: skip

    def __init__(self) -> None:
        self.start = mono_ns()
        self.phases: dict[str, float] = {}
        self._phase: str | None = None
        self._since = self.start
        self.tried: list[Tried] = []
        self.redirects: tuple[str, ...] = ()
        self.reused = False
        self.peer: tuple[object, ...] | None = None
        self.local: tuple[object, ...] | None = None
        self.dns: DnsFacts | None = None
        self.tls: TlsFacts | None = None
        self.head: Head | None = None
        self.body: Body | None = None

    def enter(self, phase: str | None) -> int:
        """End the running phase and begin `phase` (None: the attempt is over); returns the time."""
        now = mono_ns()
        if self._phase is not None:
            spent = (now - self._since) / NS
            self.phases[self._phase] = self.phases.get(self._phase, 0.0) + spent
        self._phase = phase
        self._since = now
        return now

    def finish(self) -> None:
        """The attempt is over, if its last phase has not been ended already."""
        if self._phase is not None:
            self.enter(None)

    def sample(
        self,
        *,
        target: str,
        vantage: str,
        kind: str,
        slot: Slot,
        clock: ClockReading,
        outcome: Outcome,
        detail: str | None,
    ) -> Sample:
        """The sample of the attempt, which ended with `outcome` when its last phase did."""
        self.finish()
        head, body = self.head, self.body
        return Sample(
            target=target,
            vantage=vantage,
            type=kind,
            seq=slot.seq,
            warmup=slot.warmup,
            scheduled_ns=slot.due,
            start_mono_ns=self.start,
            start_utc=utc_text(clock.utc_ns_at(self.start)),
            lateness_ns=max(0, self.start - slot.due),
            duration_s=(self._since - self.start) / NS,
            outcome=outcome.value,
            hop=HOP_OF[outcome],
            phases=self.phases,
            detail=detail,
            addresses=tuple(map(_attempted, self.tried)),
            peer=address_text(self.peer) if self.peer else None,
            local=address_text(self.local) if self.local else None,
            reused=self.reused,
            redirects=self.redirects,
            http_version=head.version if head else None,
            status=head.status if head else None,
            headers=_reported(head.fields) if head else {},
            bytes=body.count if body else None,
            body_sha256=body.sha256 if body else None,
            body_head=body.head_text if body else None,
            dns=self.dns,
            tls=self.tls,
        )


def _attempted(tried: Tried) -> Attempted:
    return Attempted(
        address=str(tried.sockaddr[0]),
        port=int(str(tried.sockaddr[1])),
        result=(tried.failure.outcome if tried.failure else Outcome.OK).value,
        seconds=tried.spent_ns / NS,
        detail=tried.failure.detail if tried.failure else None,
    )


def _reported(fields: dict[str, str]) -> dict[str, str]:
    shown = {name: fields[name] for name in REPORTED_HEADERS if name in fields}
    if "location" in shown:
        shown["location"] = without_credentials(shown["location"])
    return {name: value[:256] for name, value in shown.items()}
