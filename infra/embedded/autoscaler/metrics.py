"""Where the autoscaler's numbers come from, and the history it keeps of them."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

RevisionKey = tuple[str, str]  # namespace, name of the revision


@dataclass(frozen=True, slots=True)
class RevisionLoad:
    """A revision's requests since the previous reading.

    `concurrency` is the average number in flight, `rps` the requests begun per cluster second.
    """

    concurrency: float
    rps: float


class LoadSource(Protocol):
    """The data path: it sees the requests."""

    def stats(self) -> Mapping[RevisionKey, RevisionLoad]:
        """The load of each revision that had any since the previous call."""
        ...

    def on_buffered(self, callback: Callable[[str, str], None]) -> None:
        """Call `callback(namespace, revision)` when a request begins to wait for a first pod."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """The load in one second, counted from the clock's start."""

    second: int
    load: RevisionLoad


class History:
    """Loads per second; several in one second add up, as reports of several pods do."""

    def __init__(self, keep: float) -> None:
        """`keep` is the longest window, in seconds."""
        self._keep = keep
        self._samples: deque[Sample] = deque()
        self._first: int | None = None

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    @property
    def first_second(self) -> int | None:
        """The second of the very first record."""
        return self._first

    def resize(self, keep: float) -> None:
        self._keep = keep

    def record(self, now: float, load: RevisionLoad) -> None:
        """Add a load at `now` (seconds)."""
        second = int(now)
        if self._first is None:
            self._first = second
        if self._samples and self._samples[-1].second == second:
            last = self._samples.pop().load
            load = RevisionLoad(last.concurrency + load.concurrency, last.rps + load.rps)
        self._samples.append(Sample(second, load))
        while self._samples[0].second <= second - self._keep:
            self._samples.popleft()


def average(
    history: History, window: float, now: float, value: Callable[[RevisionLoad], float]
) -> float | None:
    """The mean per second over the last `window` seconds; None without any record in them.

    Seconds before the first record do not count: a young revision is judged by what it had.
    """
    second, first = int(now), history.first_second
    recent = [s for s in history if second - window < s.second <= second]
    if first is None or not recent:
        return None
    seconds = min(window, recent[-1].second - first + 1, window - (second - recent[-1].second))
    return round(sum(value(s.load) for s in recent) / max(1.0, seconds), 6)
