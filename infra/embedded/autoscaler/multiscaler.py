"""Collects loads and decides, for every revision that has a PodAutoscaler."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from infra.embedded.autoscaler.decider import (
    UNKNOWN,
    DeciderSpec,
    DeciderState,
    Decision,
    decide,
    first_decision,
    first_state,
    observe,
)
from infra.embedded.autoscaler.metrics import History, LoadSource, RevisionKey, RevisionLoad
from infra.embedded.clock import Clock

_log = logging.getLogger(__name__)

COLLECT_INTERVAL, DECIDE_INTERVAL = 1.0, 2.0  # cluster seconds

_NOTHING = RevisionLoad(0.0, 0.0)


@dataclass(slots=True)
class _Decider:
    """One revision's autoscaler."""

    spec: DeciderSpec
    state: DeciderState
    decision: Decision
    history: History
    due: float  # the time of the next decision


def _no_pods(_: RevisionKey) -> int:
    return 0


def _nobody(_: RevisionKey) -> None:
    return None


class Multiscaler:
    """All deciders and the clockwork that drives them."""

    def __init__(self, clock: Clock, load: LoadSource) -> None:
        self._clock, self._load = clock, load
        self._deciders: dict[RevisionKey, _Decider] = {}
        self._ready_pods: Callable[[RevisionKey], int] = _no_pods
        self._changed: Callable[[RevisionKey], None] = _nobody
        self.paused = False  # nothing is decided
        load.on_buffered(self._poke)

    def connect(
        self,
        ready_pods: Callable[[RevisionKey], int],
        changed: Callable[[RevisionKey], None],
    ) -> None:
        """`ready_pods` counts a revision's pods; `changed` is told of each new decision."""
        self._ready_pods, self._changed = ready_pods, changed

    def ensure(self, key: RevisionKey, spec: DeciderSpec) -> Decision:
        """The latest decision for a revision, whose settings are now these."""
        decider = self._deciders.get(key)
        if decider is None:
            now = self._clock.monotonic()
            decider = _Decider(
                spec,
                first_state(self._ready_pods(key), now),
                first_decision(spec),
                History(spec.stable_window),
                now + DECIDE_INTERVAL,
            )
            self._deciders[key] = decider
        elif decider.spec != spec:
            decider.spec = spec
            decider.history.resize(spec.stable_window)
        return decider.decision

    def forget(self, key: RevisionKey) -> None:
        self._deciders.pop(key, None)

    def collects(self, key: RevisionKey) -> bool:
        """Whether loads of this revision are being recorded."""
        return key in self._deciders

    async def run(self) -> None:
        """Collect and decide until cancelled."""
        while True:
            await self._clock.sleep(COLLECT_INTERVAL)
            if not self.paused:
                self.tick()

    def tick(self) -> None:
        """One round: record what every revision had, then decide where it is time to."""
        loads, now = self._load.stats(), self._clock.monotonic()
        for key, decider in list(self._deciders.items()):
            load = loads.get(key, _NOTHING)
            # Without pods nobody reports, except the activator about requests that wait.
            if load.concurrency or load.rps or self._ready_pods(key):
                decider.history.record(now, load)
            if decider.decision.pods == UNKNOWN:
                self._decide(key, decider, now)  # the first data need not wait for their turn
            if now >= decider.due:
                decider.due += DECIDE_INTERVAL * max(1, (now - decider.due) // DECIDE_INTERVAL)
                self._decide(key, decider, now)

    def _poke(self, namespace: str, revision: str) -> None:
        """A request waits for a first pod: decide at once."""
        key = (namespace, revision)
        decider = self._deciders.get(key)
        if decider is not None and decider.decision.pods <= 0 and not self.paused:
            now = self._clock.monotonic()
            decider.history.record(now, RevisionLoad(1.0, 1.0))
            self._decide(key, decider, now)

    def _decide(self, key: RevisionKey, decider: _Decider, now: float) -> None:
        observed = observe(decider.history, decider.spec, self._ready_pods(key), now)
        if observed is None:
            return
        decision, decider.state = decide(
            spec=decider.spec, state=decider.state, observed=observed, now=now
        )
        if decision != decider.decision:
            before = decider.decision.pods
            _log.debug("%s/%s: %s pods wanted, were %s: %s", *key, decision.pods, before, observed)
            decider.decision = decision
            self._changed(key)
