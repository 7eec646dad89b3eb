"""The command line of the replay."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.embedded.conformance import commands, discovery, exchanges, objects, statuses, timeline
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.support.cluster import Cluster, existing, serve


def main(argv: Sequence[str] | None = None) -> int:
    """Replay the areas and print agreement; 0 when all agree, 1 otherwise, 2 for bad usage."""
    arguments = _parser().parse_args(argv)
    root = arguments.folder.resolve()
    chosen = [area for area in all_areas(root) if _chosen(area, arguments.area)]
    if not chosen:
        sys.stderr.write(f"error: {root} has no recordings that can be replayed\n")
        return 2
    results: dict[str, list[Case]] = {}
    with _cluster(arguments) as cluster:
        replay = Replay(cluster, root, arguments.pace)
        for area in chosen:
            results[area.name] = list(_replayed(area, replay))
            _print_area(area.name, results[area.name])
    if arguments.json:
        arguments.json.write_text(json.dumps(_plain(results), indent=2) + "\n")
    return _summary(results)


def _replayed(area: Area, replay: Replay) -> Iterator[Case]:
    """The cases of an area; a recording in a form of its own is a difference, not the end."""
    try:
        yield from area.replay(replay)
    except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        yield Case("the rest", (f"cannot be replayed: {type(error).__name__}: {error}",))


def all_areas(root: Path) -> list[Area]:
    """Everything in a folder that can be replayed."""
    return [
        *discovery.areas(root),
        *objects.areas(root),
        *statuses.areas(root),
        *timeline.areas(root),
        *commands.areas(root),
        *exchanges.areas(root),
    ]


def _chosen(area: Area, names: Sequence[str]) -> bool:
    return not names or any(name in area.name for name in names)


@contextmanager
def _cluster(arguments: argparse.Namespace) -> Iterator[Cluster]:
    if arguments.kubeconfig:
        yield existing(str(arguments.kubeconfig))
        return
    with tempfile.TemporaryDirectory() as folder:
        scale = ["--time-scale", str(arguments.time_scale)]
        with serve(Path(folder) / "state", "conformance", *scale) as cluster:
            yield cluster


def _print_area(name: str, cases: Sequence[Case]) -> None:
    replayed = [case for case in cases if not case.skipped]
    agreeing = sum(not case.differences for case in replayed)
    skipped = len(cases) - len(replayed)
    note = f", {skipped} not replayed" if skipped else ""
    sys.stdout.write(f"{name}: {agreeing} of {len(replayed)} agree{note}\n")
    for case in replayed:
        for index, line in enumerate(case.differences):
            sys.stdout.write(f"  {case.name if index == 0 else ''}\n" if index == 0 else "")
            sys.stdout.write(f"      {line}\n")
    sys.stdout.flush()


def _summary(results: dict[str, list[Case]]) -> int:
    replayed = [case for cases in results.values() for case in cases if not case.skipped]
    agreeing = sum(not case.differences for case in replayed)
    sys.stdout.write(f"total: {agreeing} of {len(replayed)} agree\n")
    return 0 if agreeing == len(replayed) else 1


def _plain(results: dict[str, list[Case]]) -> dict[str, list[dict[str, object]]]:
    return {
        name: [
            {"name": c.name, "differences": list(c.differences), "skipped": c.skipped}
            for c in cases
        ]
        for name, cases in results.items()
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.embedded.conformance")
    parser.add_argument("folder", type=_folder, help="recordings of a real cluster")
    parser.add_argument("--kubeconfig", type=Path, help="replay against this cluster")
    parser.add_argument("--area", action="append", default=[], help="only areas with this in them")
    parser.add_argument("--time-scale", type=float, default=1.0, help="of the started cluster")
    parser.add_argument("--pace", type=float, default=1.0, help="recorded seconds in a real one")
    parser.add_argument("--json", type=Path, help="also write the results here")
    return parser


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
