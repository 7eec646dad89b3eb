"""Traffic that moves to a new latest revision step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.controllers.serving.annotations import rollout_duration
from infra.embedded.controllers.serving.rollout import (
    Rolling,
    Rollout,
    Share,
    Steps,
    advance,
    dump,
    next_step,
    parse,
    spread,
    target,
    unix_ns,
)
from infra.embedded.controllers.serving.traffic import Target

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND


def goal(revision: str, percent: int = 100, tag: str = "") -> Rolling:
    return Rolling("hello", tag, percent, (Share(revision, percent),))


def shares(rollout: Rollout) -> list[tuple[str, int]]:
    return [(share.revision, share.percent) for rolling in rollout for share in rolling.shares]


def moved(
    before: Rolling, wanted: Rolling, *, at: float = 0.0, ready: bool = False, duration: int = 100
) -> Rollout:
    now = BEGIN + int(at * SECOND)
    return advance(
        previous=dump((before,)), goal=(wanted,), ready=ready, now=now, duration=duration
    )


def rolled_out(duration: int, *, percent: int = 100, ready_after: float = 0.5) -> list[Rollout]:
    """Every state of a rollout whose ingress serves the first percent `ready_after` seconds."""
    now = BEGIN
    wanted = (goal("b", percent),)
    states = [
        advance(
            previous=dump((goal("a", percent),)),
            goal=wanted,
            ready=False,
            now=now,
            duration=duration,
        )
    ]
    now += int(ready_after * SECOND)
    while not all(rolling.done for rolling in states[-1]):
        states.append(
            advance(previous=dump(states[-1]), goal=wanted, ready=True, now=now, duration=duration)
        )
        now = next_step(states[-1]) or now
        assert len(states) < 300, "the rollout does not end"
    return states


def test_without_a_duration_traffic_moves_at_once() -> None:
    assert shares(moved(goal("a"), goal("b"), duration=0)) == [("b", 100)]


def test_a_new_revision_begins_with_one_percent_and_waits_for_the_ingress() -> None:
    (first,) = moved(goal("a"), goal("b"))
    assert [(s.revision, s.percent) for s in first.shares] == [("a", 99), ("b", 1)]
    assert first.steps == Steps(start=BEGIN)
    assert next_step((first,)) is None
    assert moved(first, goal("b"), at=50.0) == (first,)


@pytest.mark.parametrize(
    ("duration", "ready_after", "percent", "pause", "size"),
    [
        # 1 s for the first percent, 99 s and 99 percent are left
        (100, 0.2, 100, 1.0, 1),
        # more time than percents: steps of 1 percent, further apart
        (1000, 0.2, 100, 999 / 99, 1),
        # 2 s for a step: 49 steps of 99/49 percent
        (100, 1.2, 100, 2.0, 2),
        # 9 s left and 1 s each: 9 steps of 11
        (10, 0.5, 100, 1.0, 11),
        # the first percent took longer than the whole: one step, a second later
        (10, 30.0, 100, 1.0, 99),
        # a share of 21 percent: 20 steps
        (101, 0.5, 21, 5.0, 1),
    ],
)
def test_steps(duration: int, ready_after: float, percent: int, pause: float, size: int) -> None:
    (first,) = moved(goal("a", percent), goal("b", percent), duration=duration)
    (planned,) = moved(first, goal("b", percent), at=ready_after, ready=True, duration=duration)
    assert planned.shares == first.shares
    assert (planned.steps.duration, planned.steps.size) == (int(pause * SECOND), size)
    assert planned.steps.next == BEGIN + int(ready_after * SECOND) + planned.steps.duration


def test_a_step_comes_when_it_is_due_and_not_before() -> None:
    first = moved(goal("a"), goal("b"), duration=10)[0]
    planned = moved(first, goal("b"), at=0.5, ready=True, duration=10)[0]
    assert moved(planned, goal("b"), at=1.4, ready=True, duration=10) == (planned,)
    (next_one,) = moved(planned, goal("b"), at=1.5, ready=True, duration=10)
    assert shares((next_one,)) == [("a", 88), ("b", 12)]
    assert next_step((next_one,)) == BEGIN + int(2.5 * SECOND)


def test_the_last_step_forgets_the_plan() -> None:
    (last,) = rolled_out(10)[-1]
    assert last == goal("b")


def test_a_third_revision_takes_its_percent_from_the_newest() -> None:
    halfway = Rolling(
        "hello", "", 100, (Share("a", 60), Share("b", 40)), Steps(BEGIN, BEGIN, SECOND, 1)
    )
    (again,) = moved(halfway, goal("c"), at=3.0)
    assert shares((again,)) == [("a", 60), ("b", 39), ("c", 1)]
    assert again.steps == Steps(start=BEGIN + 3 * SECOND)
    begun = replace(halfway, shares=(Share("a", 99), Share("b", 1)))
    assert shares(moved(begun, goal("c"))) == [("a", 99), ("c", 1)]


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (100, [("a", 60), ("b", 40)]),
        (80, [("a", 40), ("b", 40)]),  # taken from the oldest
        (40, [("b", 40)]),
        (20, [("b", 20)]),
    ],
)
def test_a_smaller_share_is_taken_from_the_oldest(
    percent: int, expected: list[tuple[str, int]]
) -> None:
    halfway = Rolling(
        "hello", "", 100, (Share("a", 60), Share("b", 40)), Steps(BEGIN, BEGIN + 90 * SECOND, 1, 1)
    )
    assert shares(moved(halfway, goal("b", percent))) == expected


def test_a_larger_share_goes_to_the_newest() -> None:
    before = Rolling("hello", "", 50, (Share("a", 30), Share("b", 20)), Steps(BEGIN))
    assert shares(moved(before, goal("b", 100))) == [("a", 30), ("b", 70)]


@pytest.mark.parametrize("previous", ["", "{}", "no", "[]", '{"configurations": 3}',
    '{"configurations":[{"configurationName":"hello","percent":100,"revisions":[]}]}',
    '{"configurations":[{"configurationName":"hello","percent":300,"revisions":'
    '[{"revisionName":"a","percent":300}]}]}',
])  # fmt: skip
def test_an_annotation_that_makes_no_sense_counts_as_none(previous: str) -> None:
    wanted = (goal("b"),)
    assert advance(previous=previous, goal=wanted, ready=True, now=BEGIN, duration=9) == wanted


def test_a_share_of_one_percent_is_not_rolled_out() -> None:
    assert shares(moved(goal("a", 1), goal("b", 1))) == [("b", 1)]


def test_only_targets_that_follow_the_latest_revision_are_spread() -> None:
    latest = Target("b", 20, "canary", latest=True, configuration="hello")
    named = Target("a", 80)
    by_tag = {"": (named, latest), "canary": (replace(latest, percent=100),)}
    wanted = target(by_tag)
    assert [(r.tag, r.percent) for r in wanted] == [("", 20), ("canary", 100)]
    rolling = replace(wanted[0], shares=(Share("a", 19), Share("b", 1)))
    found = spread((named, latest), "", (rolling, wanted[1]))
    assert [(t.revision, t.percent, t.latest) for t in found] == [
        ("a", 80, False),
        ("a", 19, True),
        ("b", 1, True),
    ]
    assert spread(by_tag["canary"], "canary", (rolling, wanted[1])) == by_tag["canary"]


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ({}, 30),
        ({"serving.knative.dev/rollout-duration": "2m5s"}, 125),
        ({"serving.knative.dev/rolloutDuration": "10s"}, 10),
        ({"serving.knative.dev/rollout-duration": "0s"}, 30),
        ({"serving.knative.dev/rollout-duration": "soon"}, 30),
    ],
)
def test_a_route_says_how_long_it_takes(notes: dict[str, str], expected: int) -> None:
    assert rollout_duration({"metadata": {"annotations": notes}}, 30.0) == expected


def test_times_are_unix_nanoseconds() -> None:
    assert unix_ns(datetime(1970, 1, 2, 0, 0, 0, 5, tzinfo=UTC)) == 86_400 * SECOND + 5000


@given(st.integers(1, 3600), st.integers(2, 100), st.floats(0.01, 60))
def test_a_rollout_ends_with_everything_on_the_newest_revision_in_time(
    duration: int, percent: int, ready_after: float
) -> None:
    states = rolled_out(duration, percent=percent, ready_after=ready_after)
    newest = [state[0].shares[-1] for state in states]
    assert all(share.revision == "b" for share in newest)
    assert newest[0].percent == 1
    assert newest[-1].percent == percent
    assert [s.percent for s in newest] == sorted(s.percent for s in newest)
    assert all(sum(percent for _, percent in shares(state)) == percent for state in states)
    ends = max((state[0].steps.next for state in states), default=BEGIN)
    step = max(state[0].steps.duration for state in states)
    latest = max(duration + 1, ready_after + 1) * SECOND
    # Rounding the size of a step down can add steps: at most half as many again.
    assert ends - BEGIN <= 1.5 * latest + step


@given(
    st.lists(st.tuples(st.text(max_size=8), st.integers(0, 100)), max_size=4),
    st.text(max_size=5),
    st.tuples(*[st.integers(0, 2**60)] * 3),
)
def test_the_annotation_keeps_the_state(
    found: list[tuple[str, int]], tag: str, times: tuple[int, int, int]
) -> None:
    percent = sum(share for _, share in found)
    state = Rolling("c", tag, percent, tuple(Share(*one) for one in found), Steps(*times, 0))
    assert parse(dump((state,))) == ((state,) if percent <= 100 else ())
