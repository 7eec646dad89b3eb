"""How an SLI went over many runs, as a small picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from harness.core.sli import ratio_text
from harness.evidence.model import Evidence

_WIDTH, _HEIGHT, _LAST = 240, 36, 120


@dataclass(frozen=True, slots=True)
class Point:
    """One run's counts; `p99` in seconds."""

    captured_at: str
    valid: int
    good: int
    p99: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """One service from one vantage, oldest run first."""

    service: str
    vantage: str
    points: tuple[Point, ...]

    @property
    def newest(self) -> str:
        """The newest ratio with its counts and interval."""
        return ratio_text(self.points[-1].good, self.points[-1].valid)

    @property
    def p99(self) -> str:
        """The newest p99."""
        p99 = self.points[-1].p99
        return "no data" if p99 is None else f"{p99 * 1000:.1f} ms"

    @property
    def picture(self) -> str:
        """A line of the success rate from 0 to 1; runs without data are gaps."""
        shown = self.points[-_LAST:]
        step = (_WIDTH - 8) / max(1, len(shown) - 1)
        runs: list[list[str]] = [[]]
        for number, point in enumerate(shown):
            if point.valid:
                y = _HEIGHT - 4 - (_HEIGHT - 8) * point.good / point.valid
                runs[-1].append(f"{4 + number * step:.1f},{y:.1f}")
            elif runs[-1]:
                runs.append([])
        lines = "".join(_line(run) for run in runs if run)
        label = quoteattr(f"Success rate of {self.service} from {self.vantage}: {self.newest}")
        return (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
            f'role="img" aria-label={label}>{lines}</svg>'
        )


def _line(points: Sequence[str]) -> str:
    if len(points) == 1:
        x, _, y = points[0].partition(",")
        return f'<circle class="bar" cx="{x}" cy="{y}" r="3"/>'
    return f'<polyline class="trend" points="{" ".join(points)}"/>'


def trends_of(documents: Sequence[Evidence]) -> tuple[Trend, ...]:
    """The trend of each service and vantage that was probed."""
    found: dict[tuple[str, str], list[Point]] = {}
    for document in sorted(documents, key=lambda one: (one.captured_at, one.run_id)):
        for seen in document.vantages:
            probe = seen.probe
            p99 = probe.latency.p99 if probe.latency else None
            point = Point(document.captured_at, probe.valid, probe.good, p99)
            found.setdefault((document.subject.key, probe.vantage), []).append(point)
    return tuple(Trend(*key, points=tuple(points)) for key, points in sorted(found.items()))
