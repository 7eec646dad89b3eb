"""The history of an SLI: one line for each run and vantage, appended and never rewritten."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from harness.core.observation import ProbeObserved
from harness.core.sli import ratio_text


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """The counts of one service from one vantage in one run; latencies in seconds."""

    run_id: str
    at: str
    service: str
    vantage: str
    total: int
    valid: int
    good: int
    p50: float | None = None
    p99: float | None = None
    schema: Literal["vpm.history/v1"] = "vpm.history/v1"


_POINT: TypeAdapter[HistoryPoint] = TypeAdapter(HistoryPoint)


def point_of(run_id: str, probe: ProbeObserved) -> HistoryPoint:
    """What a history keeps of a probe."""
    return HistoryPoint(
        run_id=run_id,
        at=probe.until,
        service=f"{probe.namespace}/{probe.service}",
        vantage=probe.vantage,
        total=probe.total,
        valid=probe.valid,
        good=probe.good,
        p50=probe.latency.p50 if probe.latency else None,
        p99=probe.latency.p99 if probe.latency else None,
    )


def append_points(path: Path, points: Sequence[HistoryPoint]) -> None:
    """Append points, synced, under a lock, so that runs at the same time never mix their lines.

    A last line that a crash tore is closed first and counts for nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if _is_torn(path):
            file.write(b"\n")
        file.write(b"".join(_POINT.dump_json(point) + b"\n" for point in points))
        file.flush()
        os.fsync(file.fileno())


def _is_torn(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def read_points(path: Path) -> tuple[HistoryPoint, ...]:
    """The points of a history, oldest first; lines that a crash tore are left out.

    In the file they may stand in another order: git joins the lines of two branches.
    """
    return tuple(sorted(_points(path), key=lambda point: point.at)) if path.exists() else ()


def _points(path: Path) -> Iterator[HistoryPoint]:
    for line in path.read_bytes().splitlines():
        try:
            yield _POINT.validate_json(line)
        except ValidationError:
            continue


def trend(points: Sequence[HistoryPoint], *, last: int = 7) -> tuple[str, ...]:
    """For each service and vantage: the newest ratio, and how it stands to the runs before it."""
    keys = dict.fromkeys((point.service, point.vantage) for point in points)
    return tuple(
        _line(key, [point for point in points if (point.service, point.vantage) == key][-last:])
        for key in keys
    )


def _line(key: tuple[str, str], points: Sequence[HistoryPoint]) -> str:
    newest, before = points[-1], points[:-1]
    valid, good = sum(p.valid for p in before), sum(p.good for p in before)
    earlier = f"before, {len(before)} runs: {ratio_text(good, valid)}" if before else "first run"
    service, vantage = key
    slow = f", p99 {newest.p99 * 1000:.1f} ms" if newest.p99 is not None else ""
    return f"{service} from {vantage}: {ratio_text(newest.good, newest.valid)}{slow}; {earlier}"
