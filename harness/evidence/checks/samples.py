"""Samples are counted again, and claims may only cite samples that exist."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.observation import ProbeObserved
from harness.evidence.checks.finding import Finding, shown
from harness.evidence.checks.load import LoadedRun
from harness.evidence.packed import NotPacked, packed_lines

MAX_SAMPLES_BYTES = 512 * 1024 * 1024


class Unreadable(ValueError):
    """A file that does not hold samples."""


@dataclass(slots=True)
class SampleCount:
    """What a file of samples holds; `targets` are the probes that its samples say they are of."""

    outcomes: Counter[str] = field(default_factory=Counter)
    targets: set[str] = field(default_factory=set)


def sample_findings(run: LoadedRun) -> Iterator[Finding]:
    """Sample files whose counts are not those of the evidence."""
    counted: dict[str, SampleCount | Finding] = {}
    for document in run.documents:
        for number, seen in enumerate(document.evidence.vantages):
            path = seen.probe.samples.path if seen.probe.samples else None
            if path is None:
                continue
            if path not in counted:
                counted[path] = _count(run, path)
                found = counted[path]
                if isinstance(found, Finding):
                    yield found
            count = counted[path]
            if isinstance(count, SampleCount):
                at = f"vantages.{number}.probe"
                yield from compared(run.at(document.path), at, seen.probe, count)


def compared(name: str, at: str, probe: ProbeObserved, count: SampleCount) -> Iterator[Finding]:
    """What evidence says of samples and their file does not."""
    if dict(count.outcomes) != dict(probe.outcomes):
        expected = shown(dict(sorted(count.outcomes.items())))
        found = shown(probe.outcomes)
        yield Finding(name, f"{at}.outcomes", f"{expected} as its samples", found, "samples")
    cited = {cite.rpartition("#")[0] for cite in probe.first_ids.values()}
    if count.targets and cited and count.targets != cited:
        expected, found = ", ".join(sorted(cited)), ", ".join(sorted(count.targets))
        yield Finding(name, f"{at}.samples", f"samples of {expected}", shown(found), "samples")


def _count(run: LoadedRun, path: str) -> SampleCount | Finding:
    try:
        return count_samples(run.folder / path)
    except Unreadable as error:
        return Finding(run.at(path), "", "samples as JSON lines", shown(error), "samples")


def count_samples(path: Path) -> SampleCount:
    """The outcomes in a file of samples, one JSON object a line, compressed or not.

    Lines that are marked as another record than a sample are left out.

    Errors:
        Unreadable: the file is missing, too large, or holds something else.
    """
    count = SampleCount()
    try:
        for line in _lines(path):
            sample = json.loads(line)
            if sample.get("record", "sample") == "sample":
                count.outcomes[sample["outcome"]] += 1
                if "target" in sample:
                    count.targets.add(str(sample["target"]))
    except (OSError, NotPacked) as error:
        raise Unreadable(f"cannot be read: {error}") from error
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise Unreadable(f"not a sample: {error}") from error
    return count


def _lines(path: Path) -> Iterator[bytes]:
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotPacked("not a regular file")  # a pipe would be waited for without end
    if path.suffix == ".gz":
        yield from packed_lines(path, limit=MAX_SAMPLES_BYTES)
        return
    if path.stat().st_size > MAX_SAMPLES_BYTES:
        raise NotPacked(f"more than {MAX_SAMPLES_BYTES} bytes")
    with path.open("rb") as file:
        yield from file
