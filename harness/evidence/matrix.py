"""The matrix hop by vantage: how many attempts passed each hop. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.core.outcome import Hop
from harness.evidence.derive import failures_by_hop
from harness.evidence.model import VantageEvidence

PATH = (
    Hop.RESOLVE,
    Hop.CONNECT,
    Hop.TLS,
    Hop.SEND,
    Hop.WAIT,
    Hop.TRANSFER,
    Hop.STATUS,
    Hop.BODY,
)


class State(StrEnum):
    """How a hop went for the attempts of one vantage."""

    PASSED = "passed"
    PARTLY = "partly"
    BROKEN = "broken"
    NOT_REACHED = "not reached"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Cell:
    """One hop from one vantage: how many attempts reached it and how many passed."""

    hop: Hop
    state: State
    reached: int = 0
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One vantage's way along the path."""

    label: str
    cells: tuple[Cell, ...]


def rows(vantages: Sequence[VantageEvidence]) -> tuple[Row, ...]:
    """The matrix of a document."""
    return tuple(
        Row(label, _cells(seen)) for label, seen in zip(labels(vantages), vantages, strict=True)
    )


def labels(vantages: Sequence[VantageEvidence]) -> tuple[str, ...]:
    """What tells the vantages apart: their name, with the step where one was used twice."""
    uses = Counter(seen.probe.vantage for seen in vantages)
    return tuple(
        seen.probe.vantage
        if uses[seen.probe.vantage] == 1
        else f"{seen.probe.vantage} ({seen.step})"
        for seen in vantages
    )


def _cells(seen: VantageEvidence) -> tuple[Cell, ...]:
    probe = seen.probe
    failed = failures_by_hop(probe)
    left = sum(failed.values()) + probe.outcomes.get("ok", 0)
    cells = []
    for hop in PATH:
        passed = left - failed.get(hop, 0)
        cells.append(Cell(hop, _state(hop, seen, reached=left, passed=passed), left, passed))
        left = passed
    return tuple(cells)


def _state(hop: Hop, seen: VantageEvidence, *, reached: int, passed: int) -> State:
    plain = seen.probe.url.startswith("http://")
    by_address = hop is Hop.RESOLVE and seen.probe.by_address
    if (hop is Hop.TLS and plain) or by_address:
        return State.NOT_CHECKED
    if reached == 0:
        return State.NOT_REACHED
    if passed == reached:
        return State.PASSED
    return State.PARTLY if passed else State.BROKEN
