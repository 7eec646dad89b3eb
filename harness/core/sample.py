"""One attempt of one probe from one vantage, as the product needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.outcome import HOP_OF, OK, PROBER_ERROR, Hop


@dataclass(frozen=True, slots=True)
class Sample:
    """One attempt. Times are seconds; `at` is the start in UTC (ISO 8601).

    `offset` is when the attempt was due, counted from the start of the schedule; `lateness` is
    how much later it really began. `seconds` is the attempt's own duration, lateness left out.
    `phases` maps resolve, connect, tls, send, wait, transfer to durations; a phase that was not
    reached is absent. `through_gateway` says that the answer came from behind the gateway;
    `by_gateway` that the gateway itself gave it.
    """

    id: str
    target: str
    at: str
    outcome: str
    offset: float = 0.0
    lateness: float = 0.0
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    warmup: bool = False
    status: int | None = None
    detail: str = ""
    peer: str = ""
    server: str = ""
    revision: str = ""
    through_gateway: bool = False
    by_gateway: bool = False
    by_address: bool = False

    @property
    def hop(self) -> Hop:
        """The first hop that this attempt did not pass; `none` when it passed all."""
        return HOP_OF[self.outcome]

    @property
    def good(self) -> bool:
        """Whether the attempt passed every hop."""
        return self.outcome == OK

    @property
    def valid(self) -> bool:
        """Whether the attempt says something about the target: no warm-up, no prober error."""
        return not self.warmup and self.outcome != PROBER_ERROR
