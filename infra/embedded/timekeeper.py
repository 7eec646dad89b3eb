"""Cluster time across restarts: a faster clock runs ahead, and a new one must not go back."""

import contextlib
from datetime import datetime, timedelta
from pathlib import Path

from infra.embedded.clock import Clock, parse_rfc3339, rfc3339_micro

INTERVAL = 1.0  # real seconds between notes


def last_shown(path: Path) -> datetime | None:
    """A time that no earlier clock of this cluster has passed; None without a note."""
    try:
        noted = parse_rfc3339(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
    return noted if noted.tzinfo is not None else None


class Timekeeper:
    """Notes how far the clock may have come when this process is killed."""

    def __init__(self, clock: Clock, path: Path) -> None:
        self._clock, self._path = clock, path

    async def run(self) -> None:
        """Note the time again and again until cancelled."""
        try:
            while True:
                # What the clock gains on real time until the next note, should it come late.
                self.note(ahead=(self._clock.scale - 1) * 2 * INTERVAL)
                await self._clock.sleep(INTERVAL * self._clock.scale)
        finally:
            self.note()

    def note(self, *, ahead: float = 0.0) -> None:
        """Write the present time, or one that is `ahead` seconds later."""
        moment = self._clock.now() + timedelta(seconds=max(0.0, ahead))
        temporary = self._path.with_name(f".{self._path.name}.new")
        with contextlib.suppress(OSError):  # a full disk must not end the cluster
            temporary.write_text(rfc3339_micro(moment), "ascii")
            temporary.replace(self._path)
