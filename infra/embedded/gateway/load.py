"""How busy each revision is, from Envoy's own counters."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.embedded.autoscaler.metrics import RevisionLoad

QUERY = "/stats?filter=" + r"^cluster\..*/.*\.upstream_rq_(active|total)$" + "&usedonly"
BUSY_SECONDS, IDLE_SECONDS = 0.1, 1.0  # between samples
# Envoy is sampled, so requests shorter than the interval are mostly unseen; each then counts as
# if it had taken this long, so that traffic is never taken for idleness.
SHORTEST_REQUEST = 0.001
# Not those of plain Services, whose `:` before the port Envoy writes as `_`.
_LINE = re.compile(r"^cluster\.([^/]+)/([^_]+)\.upstream_rq_(active|total): (\d+)$")

Key = tuple[str, str]  # namespace and revision


@dataclass(slots=True)
class _Meter:
    total: int = 0
    total_before: int = 0
    samples: list[int] = field(default_factory=list)


class Load:
    """Averages between calls of `stats`."""

    def __init__(self) -> None:
        self._meters: dict[Key, _Meter] = {}
        self._since = 0.0

    def sample(self, text: str) -> bool:
        """Take one answer of Envoy's statistics; returns whether anything is going on."""
        busy = False
        for line in text.splitlines():
            match = _LINE.match(line)
            if match is None:
                continue
            meter = self._meters.setdefault((match.group(1), match.group(2)), _Meter())
            value = int(match.group(4))
            if match.group(3) == "active":
                meter.samples.append(value)
                busy = busy or value > 0
            else:
                if value < meter.total:  # a backend that was removed and added again
                    meter.total_before = 0
                busy = busy or value > meter.total
                meter.total = value
        return busy

    def stats(self, now: float) -> Mapping[Key, RevisionLoad]:
        """The load of each revision since the last call; `now` in cluster seconds."""
        seconds = max(now - self._since, 0.001)
        self._since = now
        return {key: _read(meter, seconds) for key, meter in self._meters.items()}

    def forget(self, name: str) -> None:
        """The revision `namespace/name` is gone."""
        namespace, _, revision = name.partition("/")
        self._meters.pop((namespace, revision), None)


def _read(meter: _Meter, seconds: float) -> RevisionLoad:
    rate = (meter.total - meter.total_before) / seconds
    mean = sum(meter.samples) / len(meter.samples) if meter.samples else 0.0
    meter.total_before = meter.total
    meter.samples.clear()
    return RevisionLoad(concurrency=max(mean, rate * SHORTEST_REQUEST), rps=rate)


async def pause(*, busy: bool) -> None:
    """Wait for the next sample; a busy gateway is looked at more often."""
    await asyncio.sleep(BUSY_SECONDS if busy else IDLE_SECONDS)
