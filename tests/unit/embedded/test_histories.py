"""Histories of values: recorded in lines, compared in order and in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.embedded.conformance.histories import (
    Step,
    at,
    changes,
    order,
    shown,
    since,
    steps,
    times,
    values,
)

# golden 06-kpa/pa-timeline.txt and 05-gateway/scale-to-zero-timeline.txt
LINES = (
    '# seconds from start. [{"clients": 10}]',
    '   -6.95 PodAutoscaler/load-00001 {"desired": null, "actual": null}',
    '    5.33 PodAutoscaler/load-00001 {"desired": 2, "Active": ["True", null]}',
    '   59.50 MODIFIED PodAutoscaler/z-00001 Active=False(NoTraffic: none.) {"desiredScale": 0}',
    '   90.14 DELETED  Pod/z-00001-deployment-5879-pvgjb  {"phase": "Succeeded"}',
    '   -2.96 EVENT Service/zdef Created: Created Configuration "zdef"',
    "    1.54 MODIFIED Revision/zdef-00001  {}",
    "    1.60 MODIFIED Revision/zdef-00001 torn {",
    "",
)


def test_lines_of_timelines() -> None:
    found = [(c.at, c.verb, c.kind, c.name, c.text, dict(c.fields)) for c in changes(LINES)]
    assert found == [
        (-6.95, "", "PodAutoscaler", "load-00001", "", {"desired": None, "actual": None}),
        (5.33, "", "PodAutoscaler", "load-00001", "", {"desired": 2, "Active": ["True", None]}),
        (59.5, "MODIFIED", "PodAutoscaler", "z-00001", "Active=False(NoTraffic: none.)",
         {"desiredScale": 0}),
        (90.14, "DELETED", "Pod", "z-00001-deployment-5879-pvgjb", "", {"phase": "Succeeded"}),
        (1.54, "MODIFIED", "Revision", "zdef-00001", "", {}),
        (1.6, "MODIFIED", "Revision", "zdef-00001", "torn {", {}),
    ]  # fmt: skip


def test_a_history_has_no_repetitions() -> None:
    assert steps([(0, 1), (1, 1), (2, None), (3, 2), (4, 1)]) == (
        Step(0, "1"), Step(3, "2"), Step(4, "1"),
    )  # fmt: skip


def test_what_held_before_a_time_comes_first() -> None:
    history = (Step(-5, "a"), Step(-1, "b"), Step(2, "c"))
    assert since(history, 0.0) == (Step(0.0, "b"), Step(2, "c"))
    assert since(history, -9.0) == history
    assert since((), 0.0) == ()


@pytest.mark.parametrize(("moment", "expected"), [(-1.0, "none"), (0.0, "a"), (1.9, "a"), (2, "b")])
def test_what_holds_at_a_moment(moment: float, expected: str) -> None:
    assert at((Step(0, "a"), Step(2, "b")), moment, "none") == expected


def test_another_order_is_a_difference_whenever_the_steps_came() -> None:
    wanted = (Step(0, "1"), Step(5, "2"))
    assert list(order("scale", wanted, (Step(0, "1"), Step(99, "2")))) == []
    assert list(order("scale", wanted, (Step(0, "2"),))) == [
        "scale: 1@0.0s 2@5.0s -> 2@0.0s",
    ]
    assert shown(()) == "nothing"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(6.0, []), (4.0, []), (6.1, ["scale 2 at 5.0 s -> 6.1 s (tolerance 1.0 s)"])],
)
def test_times_may_differ_by_the_tolerance(moment: float, expected: list[str]) -> None:
    wanted, got = (Step(0, "1"), Step(5, "2")), (Step(9, "1"), Step(moment, "2"))
    assert list(times("scale", wanted, got, {1: 1.0})) == expected


PAIRS = st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 4)), max_size=30)


@given(PAIRS)
def test_steps_keep_every_change(pairs: list[tuple[float, int]]) -> None:
    ordered = sorted(pairs)
    history = steps(ordered)
    assert all(a != b for a, b in zip(values(history), values(history)[1:], strict=False))
    if ordered:
        assert (history[0].at, history[-1].value) == (ordered[0][0], str(ordered[-1][1]))
