"""The command line of the replay."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import TextIO

from tests.embedded.conformance import (
    autoscaling,
    commands,
    discovery,
    durations,
    exchanges,
    following,
    objects,
    orders,
    report,
    shares,
    statuses,
    timeline,
    zero,
)
from tests.embedded.conformance.outcome import Area, Case
from tests.embedded.conformance.running import PROBLEMS, Plan, Result, results

_SIGNALLED = 130
_FORMS = (
    discovery,
    objects,
    statuses,
    timeline,
    orders,
    zero,
    commands,
    exchanges,
    autoscaling,
    shares,
    durations,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Replay the areas and print agreement; 0 when all agree, 1 otherwise, 2 for bad usage."""
    arguments = _parser().parse_args(argv)
    root = arguments.folder.resolve()
    found = all_areas(root)
    chosen = [area for area in found if _chosen(area, arguments.area)]
    if not chosen:
        sys.stderr.write(f"error: {root} has no recordings that can be replayed\n")
        _write(report.unused(root, ()), sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _ended)
    plan = Plan(root, arguments.kubeconfig, arguments.time_scale, arguments.pace, arguments.jobs)
    done: list[Result] = []
    try:
        for result in results(chosen, plan):
            done.append(result)
            _write(report.area(result), sys.stdout)
    except (KeyboardInterrupt, SystemExit):
        following.end()
        _write(["ended by a signal: the clusters are down"], sys.stderr)
        os._exit(_SIGNALLED)  # areas may still sleep for minutes
    if not arguments.area:
        used = [path for area in found for path in area.uses]
        _write(report.unused(root, used), sys.stdout)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.plain(done), indent=2) + "\n")
    agreeing, replayed = report.total(done)
    sys.stdout.write(f"total: {agreeing} of {replayed} agree\n")
    return 0 if agreeing == replayed else 1


def all_areas(root: Path) -> list[Area]:
    """Everything in a folder that can be replayed."""
    return [area for form in _FORMS for area in _areas(form, root)]


def _areas(form: ModuleType, root: Path) -> Iterator[Area]:
    """The areas of one form of recordings; what cannot be read is an area that differs."""
    try:
        yield from form.areas(root)
    except PROBLEMS as error:
        case = Case("recordings", (f"cannot be read: {type(error).__name__}: {error}",))
        yield Area(f"{form.__name__.rpartition('.')[2]} (rest)", lambda _: iter([case]))


def _chosen(area: Area, names: Sequence[str]) -> bool:
    return not names or any(name in area.name for name in names)


def _write(lines: Iterable[str], stream: TextIO) -> None:
    for line in lines:
        stream.write(f"{line}\n")
    stream.flush()


def _ended(number: int, frame: FrameType | None) -> None:
    """Let a signal end the clusters, too."""
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.embedded.conformance")
    parser.add_argument("folder", type=_folder, help="recordings of a real cluster")
    parser.add_argument("--kubeconfig", type=Path, help="replay against this cluster")
    parser.add_argument("--area", action="append", default=[], help="only areas with this in them")
    parser.add_argument(
        "--time-scale", type=_positive, help="of all clusters; without it, what suits each area"
    )
    parser.add_argument(
        "--pace", type=_positive, help="recorded seconds in a real one; as the time scale"
    )
    parser.add_argument("--jobs", type=int, default=4, help="areas side by side")
    parser.add_argument("--json", type=Path, help="also write the results here")
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return number


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
