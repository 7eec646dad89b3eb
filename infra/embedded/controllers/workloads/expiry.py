"""Events are kept for an hour, as by an API server with its default settings."""

from datetime import datetime, timedelta

from infra.embedded.clock import Clock, parse_rfc3339
from infra.embedded.kinds import EVENT
from infra.embedded.store import Obj, Store

KEPT = 3600.0  # cluster seconds
_INTERVAL = 300.0


def last_seen(event: Obj) -> datetime:
    """When the event happened last (UTC)."""
    meta = event["metadata"]
    stamp = event.get("lastTimestamp") or event.get("eventTime") or meta["creationTimestamp"]
    return parse_rfc3339(stamp)


class EventExpiry:
    """Deletes old events now and then."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._clock.sleep(_INTERVAL)
            self.sweep()

    def sweep(self) -> None:
        """Delete the events that are too old now."""
        oldest = self._clock.now() - timedelta(seconds=KEPT)
        for event in self._store.list(EVENT):
            if last_seen(event) < oldest:
                meta = event["metadata"]
                self._store.delete(EVENT, meta["namespace"], meta["name"])
