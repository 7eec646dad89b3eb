"""docs/diagnosis.md, made from the tables of the diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from harness.core.causes import CAUSES, Cause
from harness.core.outcome import OUTCOMES_BY_HOP
from harness.core.situations import SITUATIONS, Situation

_INTRODUCTION = """\
# Diagnosis

Made from `harness/core/situations.py` and `harness/core/causes.py`; `python scripts/update_docs.py`
writes this page again.

A diagnosis is a pure function of READY and of the samples of all vantages. It knows neither the
provider nor whether anything was broken on purpose. It answers two questions with two tables. In
each the first row that matches counts, and an empty cell matches anything.

1. *What is it worth?* The situation gives the verdict: what the control plane says, and how far
   the vantages get.
2. *What is broken?* The cause is looked up by how the named vantage fails, and which others do.
   Of several failing vantages the one nearest to the user is named: devbox, gateway, node,
   in-cluster-gateway, in-cluster, other pods. Its most frequent outcome decides; of equally
   frequent ones the earlier hop.

The last cause, `unknown`, keeps the table total. The rows above it take every outcome that the
engine knows; only a summary without an outcome, of another engine or version, would come so far.

What an answer means depends on who gave it: Envoy adds `x-envoy-upstream-service-time` to answers
from behind it and to none of its own.

Each row is shown three times: by a drill below `scenarios/faults/` that breaks an embedded cluster
and expects the row; by a world of bare sockets that is broken without the product's help
(`tests/contract/probes/worlds.py`), in which no neighbouring row may match; and many by signals,
`kubectl` and edited files on a running cluster (`tests/embedded/test_faults_from_outside.py`).
A test names the rows without a drill:

- `unknown`: see above.
- `clock-skew`: a pod has the clock of its node. No namespace of the kernel gives it another (there
  are none for the time of day), and to set the node's is to set the whole machine's.

The situation *requests do not get through* without READY is that of callers who did not look at the
control plane; its causes are the same rows.
"""

_OUTCOMES = """\
## Hops and outcomes

Where several are possible the earliest hop that was not passed decides.
"""


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, "## Situations\n", _situations(), "\n## Causes\n", _causes(), "\n"]
    return "\n".join([*parts, _OUTCOMES, _outcomes()]) + "\n"


def _situations() -> str:
    head = ("diagnosis", "READY", "vantages", "and", "verdict", "hop", "meaning", "next command")
    return _table(head, (_situation(row) for row in SITUATIONS))


def _situation(row: Situation) -> Sequence[str]:
    also = [row.flag.value] if row.flag else []
    also += ["a vantage could not run"] if row.blind else []
    hop = row.hop.value if row.hop else ""
    return (
        "the cause's" if row.names_cause else f"`{row.id}`",
        _values(row.ready),
        _values(row.reach),
        "; ".join(also),
        row.verdict.value,
        hop or "of the named vantage",
        row.finding,
        "the cause's" if row.names_cause else _code(row.next_step),
    )


def _causes() -> str:
    head = ("diagnosis", "named vantage fails with", "failing vantages", "and", "meaning", "next")
    return _table(head, (_cause(row) for row in CAUSES))


def _cause(row: Cause) -> Sequence[str]:
    return (
        f"`{row.id}`",
        _values(row.signatures),
        _values(row.where),
        row.flag.value if row.flag else "",
        row.finding,
        _code(row.next_step),
    )


def _outcomes() -> str:
    rows = (
        (hop.value, ", ".join(f"`{outcome}`" for outcome in outcomes))
        for hop, outcomes in OUTCOMES_BY_HOP.items()
    )
    return _table(("hop", "outcomes"), rows)


def _values(members: Iterable[StrEnum]) -> str:
    return "; ".join(sorted(member.value for member in members))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
