"""Speed of the runner: `python -m tests.bench.bench_runner`.

Claiming and judging: contracts per second, each signed and each with a manifest that is read,
hashed and parsed facts compared; wall time and processor time, because benches share a machine.
Overhead: what the runner adds to the commands of one apply, in milliseconds.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tests.support.runner import Desk, make_desk

CONTRACTS = 1000
APPLIES = 50


def claiming(desk: Desk) -> tuple[float, float]:
    """Contracts claimed and judged per second, of wall time and of processor time."""
    for number in range(CONTRACTS):
        desk.in_inbox(desk.contract(f"c_{number:04d}"))
    runner = desk.runner()
    wall, processor = time.perf_counter(), time.process_time()
    for claim in runner.claims():
        if runner.judge(claim):
            raise SystemExit("a signed contract was refused")
        claim.close()
    return (
        CONTRACTS / (time.perf_counter() - wall),
        CONTRACTS / (time.process_time() - processor),
    )


def overhead(desk: Desk) -> list[float]:
    """Milliseconds of an exec that are not spent in kubectl (here the stand-in)."""
    runner = desk.runner()
    spent = []
    for number in range(APPLIES):
        contract = desk.contract(f"c_{number:04d}")
        started = time.perf_counter()
        observed = runner.execute(contract)
        commands = sum(record.seconds for record in observed.commands)
        spent.append(1000 * (time.perf_counter() - started - commands))
    return spent


def main() -> None:
    """Print the numbers."""
    with tempfile.TemporaryDirectory(prefix="vpm-bench-") as folder:
        wall, processor = claiming(make_desk(Path(folder, "claiming")))
        spent = overhead(make_desk(Path(folder, "overhead")))
    print(f"claimed and judged: {wall:.0f}/s wall, {processor:.0f}/s processor (want 500)")
    print(f"overhead per apply: median {statistics.median(spent):.1f} ms, "
          f"max {max(spent):.1f} ms (want 100)")  # fmt: skip


if __name__ == "__main__":
    main()
