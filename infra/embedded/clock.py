"""The emulator's only reader of time; `scale` makes everything in the cluster run faster."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Cluster time.  One real second is `scale` cluster seconds."""

    def __init__(
        self,
        scale: float = 1.0,
        not_before: datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`not_before` is a cluster time that has been shown already: time never goes back.

        `monotonic` gives real seconds and must be the time of the event loop that `sleep` runs in.
        """
        if scale <= 0:
            raise ValueError(f"time scale must be positive, got {scale}")
        self.scale = scale
        now = datetime.now(UTC)
        self._epoch = max(now, not_before) if not_before is not None else now
        self._monotonic = monotonic
        self._start = monotonic()

    def monotonic(self) -> float:
        """Cluster seconds since the clock was made."""
        return (self._monotonic() - self._start) * self.scale

    def now(self) -> datetime:
        """Cluster time, UTC."""
        return self._epoch + timedelta(seconds=self.monotonic())

    def stamp(self) -> str:
        """Cluster time as Kubernetes writes it (`2026-11-22T08:17:12Z`)."""
        return rfc3339(self.now())

    async def sleep(self, seconds: float) -> None:
        """Sleep for cluster seconds."""
        await asyncio.sleep(max(0.0, seconds) / self.scale)


def rfc3339(moment: datetime) -> str:
    """A UTC time in whole seconds, as in `metadata.creationTimestamp`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(moment: datetime) -> str:
    """A UTC time in microseconds, as in Lease and Event times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> datetime:
    """The inverse of `rfc3339` and `rfc3339_micro`; raises ValueError."""
    return datetime.fromisoformat(text)
