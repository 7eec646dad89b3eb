"""How fast evidence is: `python -m tests.bench.bench_evidence [RUNS]`.

Times are CPU seconds of one core. Targets: verify at least 200 documents a second; rendering one
at most 30 ms; the site of 1,000 runs in 20 s; verification of a reports folder grows linearly.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from harness.evidence import EvidenceStore
from harness.evidence.markdown import render
from harness.evidence.model import decode
from harness.evidence.pictures import pictures
from harness.evidence.site import build_site
from harness.evidence.verify import VerifyOptions, verify_all
from tests.support.golden import make_golden
from tests.support.stories import SteppedClock, write_run

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of some work and its result: others may share the machine."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-evidence-") as folder:
        root = Path(folder)
        golden = make_golden(root)
        clock = SteppedClock()
        store = EvidenceStore(golden.reports, clock)

        def write() -> None:
            for number in range(runs - 2):
                story = replace(golden.mended, at=golden.mended.at + timedelta(minutes=number + 1))
                clock.at = story.at + timedelta(seconds=20)
                write_run(store, replace(story, devbox=20 - number % 3))

        seconds, _ = timed(write)
        print(f"write       {1000 * seconds / max(1, runs - 2):8.1f} ms per run")
        options = VerifyOptions(now=clock.at + timedelta(hours=1))
        seconds, seen = timed(lambda: verify_all([golden.reports], options=options))
        print(
            f"verify      {seen.documents / seconds:8.0f} documents/s "
            f"({seen.documents} documents, {runs} runs, {len(seen.findings)} findings)"
        )
        content = (golden.first / "evidence/default.hello.ready.json").read_bytes()
        document = decode(content)
        seconds, _ = timed(lambda: [render(document, run_folder="..") for _ in range(50)])
        print(f"render      {20 * seconds:8.1f} ms per document")
        seconds, _ = timed(lambda: [pictures(document) for _ in range(50)])
        print(f"pictures    {20 * seconds:8.1f} ms per document")
        seconds, _ = timed(lambda: build_site(golden.reports, root / "site"))
        print(f"site        {seconds:8.1f} s for {runs} runs")
        size = sum(file.stat().st_size for file in golden.run.rglob("*") if file.is_file())
        print(f"size        {size / 1000:8.0f} kB per run")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
