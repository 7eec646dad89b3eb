"""The autoscaler's decision, against Knative's algorithm and the recorded timeline."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.autoscaler.decider import (
    DeciderSpec,
    DeciderState,
    Decision,
    Observed,
    activators,
    decide,
    first_decision,
    first_state,
    observe,
)
from infra.embedded.autoscaler.metrics import History, RevisionLoad, average

SPEC = DeciderSpec(
    metric="concurrency",
    target=7.0,
    total=10.0,
    target_burst_capacity=211.0,
    stable_window=60.0,
    panic_window=6.0,
    panic_threshold=2.0,
    max_scale_up_rate=1000.0,
    max_scale_down_rate=2.0,
    activation_scale=1,
    scale_down_delay=0.0,
    activator_capacity=100.0,
    initial_scale=1,
    reachable=True,
)
CALM = DeciderState()


def pods(
    stable: float, panic: float, ready: int, *, spec: DeciderSpec = SPEC, state: DeciderState = CALM
) -> int:
    decision, _ = decide(spec=spec, state=state, observed=Observed(stable, panic, ready), now=100.0)
    return decision.pods


@pytest.mark.parametrize(
    ("stable", "panic", "ready", "expected"),
    [
        (0.0, 0.0, 0, 0),
        (0.0, 0.0, 1, 0),
        (7.0, 7.0, 1, 1),
        (7.1, 7.1, 1, 2),
        (50.0, 50.0, 5, 8),
        (0.0, 0.0, 5, 2),  # never below half at once
        (0.0, 0.0, 10, 5),
        (6.0, 14.1, 1, 3),  # panic: twice the ready pods are needed
        (6.0, 13.9, 1, 2),
        (20.0, 20.0, 2, 3),  # crowded, but below the threshold
    ],
)
def test_pods_for_a_load(stable: float, panic: float, ready: int, expected: int) -> None:
    assert pods(stable, panic, ready) == expected


def test_growth_is_limited_by_its_rate() -> None:
    assert pods(70.0, 70.0, 1, spec=replace(SPEC, max_scale_up_rate=2.0)) == 2


def test_an_unreachable_revision_shrinks_at_once() -> None:
    assert pods(0.0, 0.0, 10, spec=replace(SPEC, reachable=False)) == 0


def test_activation_scale_counts_only_with_a_load() -> None:
    spec = replace(SPEC, activation_scale=3)
    assert pods(1.0, 1.0, 0, spec=spec) == 3
    assert pods(0.0, 0.0, 0, spec=spec) == 0


def test_panic_never_shrinks_and_ends_after_a_stable_window() -> None:
    decision, state = decide(spec=SPEC, state=CALM, observed=Observed(6, 28, 1), now=0)
    assert (decision.pods, state.panic_since) == (4, 0)
    decision, state = decide(spec=SPEC, state=state, observed=Observed(3, 0, 4), now=59)
    assert (decision.pods, state.panic_since) == (4, 0)
    decision, state = decide(spec=SPEC, state=state, observed=Observed(3, 0, 4), now=60.5)
    assert (decision.pods, state) == (2, CALM)


def test_a_decider_that_finds_pods_starts_in_panic() -> None:
    assert first_state(1, 5.0) == CALM
    state = first_state(4, 5.0)
    assert pods(0.0, 0.0, 4, state=replace(state, panic_since=100.0)) == 4


def test_the_scale_down_delay_keeps_the_largest_recent_decision() -> None:
    spec, state = replace(SPEC, scale_down_delay=30.0), CALM
    taken = []
    for now, load in ((0, 20.0), (10, 1.0), (29, 1.0), (31, 1.0)):
        decision, state = decide(
            spec=spec, state=state, observed=Observed(load, load, 3), now=float(now)
        )
        taken.append(decision.pods)
    assert taken == [3, 3, 3, 1]


@pytest.mark.parametrize(
    ("capacity", "ready", "panic", "expected"),
    [(0, 3, 5.0, 0), (-1, 3, 5.0, -1), (211, 1, 0.0, -201), (211, 30, 5.0, 84)],
)
def test_excess_burst_capacity(capacity: float, ready: int, panic: float, expected: int) -> None:
    spec = replace(SPEC, target_burst_capacity=capacity)
    decision, _ = decide(spec=spec, state=CALM, observed=Observed(panic, panic, ready), now=0)
    assert decision.excess_burst_capacity == expected


# Worked by hand along upstream's Scale(); target 7, total 10 and burst 211 unless said otherwise.
@pytest.mark.parametrize(
    ("changes", "stable", "panic", "ready", "expected", "excess", "panics"),
    [
        # the rate counts ready pods, not wanted ones: ceil(1.1 * 2) = 3 of the ceil(21/7) = 3
        ({"max_scale_up_rate": 1.1}, 21.0, 21.0, 2, 3, -212, False),
        ({"max_scale_up_rate": 1.1}, 28.0, 28.0, 2, 3, -219, True),
        # no pod is ready: the rate counts one
        ({"max_scale_up_rate": 10.0}, 700.0, 700.0, 0, 10, -911, True),
        # downwards: floor(9/2) = 4, floor(9/1.5) = 6
        ({}, 0.0, 0.0, 9, 4, -121, False),
        ({"max_scale_down_rate": 1.5}, 0.0, 0.0, 9, 6, -121, False),
        # panic is entered by what is needed, not by what the rate allows: 2 of 2 pods
        ({"max_scale_up_rate": 1.0}, 7.0, 28.0, 2, 2, -219, True),
        # exactly at the threshold (4/2 = 2.0), just below (3/2), and a higher one
        ({}, 7.0, 28.0, 2, 4, -219, True),
        ({}, 7.0, 21.0, 2, 1, -212, False),
        ({"panic_threshold": 4.0}, 7.0, 28.0, 2, 1, -219, False),
        # in panic the larger of both windows counts
        ({}, 35.0, 14.0, 1, 5, -215, True),
        # activation scale lifts what is above zero, and does not itself cause panic
        ({"activation_scale": 5}, 1.0, 1.0, 1, 5, -202, False),
        ({"activation_scale": 5}, 70.0, 70.0, 1, 10, -271, True),
        # only the panic window has a load: the stable decision is not lifted
        ({"activation_scale": 5}, 0.0, 1.0, 1, 0, -202, False),
        # activation scale is not held back by the rate
        ({"activation_scale": 5, "max_scale_up_rate": 2.0}, 14.0, 14.0, 1, 5, -215, True),
        # spare room: 40 pods of 10 - 211 - 100.5 = 88.5, rounded down
        ({}, 100.5, 100.5, 40, 20, 88, False),
        # an unreachable revision may lose everything at once
        ({"reachable": False}, 0.0, 0.0, 9, 0, -121, False),
        # a fractional target: ceil(1/0.5) = 2
        ({"target": 0.5, "total": 1.0}, 1.0, 1.0, 1, 2, -211, True),
    ],
)
def test_cases_worked_by_hand(
    changes: dict[str, Any],
    stable: float,
    panic: float,
    ready: int,
    expected: int,
    excess: int,
    panics: bool,
) -> None:
    spec = replace(SPEC, **changes)
    observed = Observed(stable, panic, ready)
    decision, state = decide(spec=spec, state=CALM, observed=observed, now=100.0)
    assert decision == Decision(expected, excess)
    assert (state.panic_since is not None) == panics


def test_a_crowd_lengthens_panic_and_a_larger_need_raises_its_pods() -> None:
    taken, state = [], CALM
    for now, stable, panic, ready in (
        (0.0, 7.0, 14.0, 1),  # 2 pods: panic begins
        (2.0, 7.0, 35.0, 2),  # 3 more are needed: lengthened, 5 pods
        (30.0, 14.0, 7.0, 5),  # calm: kept
        (62.0, 14.0, 7.0, 5),  # 60 s after the last crowd exactly: not over yet
        (62.1, 14.0, 7.0, 5),  # over: max(2, floor(5/2)) = 2
    ):
        decision, state = decide(
            spec=SPEC, state=state, observed=Observed(stable, panic, ready), now=now
        )
        taken.append((decision.pods, state.panic_since))
    assert taken == [(2, 0.0), (5, 2.0), (5, 2.0), (5, 2.0), (2, None)]


def test_the_scale_down_delay_applies_to_panic_too() -> None:
    spec, state = replace(SPEC, scale_down_delay=10.0, stable_window=6.0), CALM
    taken = []
    for now, load, ready in ((0.0, 28.0, 1), (7.0, 0.0, 4), (9.9, 0.0, 4), (17.1, 0.0, 4)):
        observed = Observed(load, load, ready)
        decision, state = decide(spec=spec, state=state, observed=observed, now=now)
        taken.append(decision.pods)
    assert taken == [4, 4, 4, 2]


@pytest.mark.parametrize(("capacity", "expected"), [(211.0, -201), (0.0, 0), (-1.0, -1)])
def test_before_any_data(capacity: float, expected: int) -> None:
    spec = replace(SPEC, target_burst_capacity=capacity)
    assert first_decision(spec) == Decision(-1, expected)


@pytest.mark.parametrize(
    ("total", "capacity", "ready", "expected"),
    [
        # golden 02-lifecycle: 3 before the first pod, 4 with it; golden 06-kpa (target 10): 3
        (100.0, 211.0, 0, 3),
        (100.0, 211.0, 1, 4),
        (10.0, 211.0, 1, 3),
        (10.0, 0.0, 1, 2),
        (10.0, -1.0, 1, 0),
    ],
)
def test_activators(total: float, capacity: float, ready: int, expected: int) -> None:
    spec = replace(SPEC, total=total, target_burst_capacity=capacity)
    assert activators(spec, ready) == expected


def concurrency(load: RevisionLoad) -> float:
    return load.concurrency


def test_the_average_counts_from_the_first_record() -> None:
    history = History(60)
    for second in range(10, 20):
        history.record(second, RevisionLoad(6.0, 0.0))
    assert average(history, 60, 19, concurrency) == 6.0
    assert average(history, 60, 69.9, concurrency) == 6.0  # nobody reported since: ten seconds
    assert average(history, 60, 90, concurrency) is None


def test_reports_of_one_second_add_up() -> None:
    history = History(60)
    history.record(5.1, RevisionLoad(2.0, 1.0))
    history.record(5.9, RevisionLoad(3.0, 1.0))
    assert [sample.load for sample in history] == [RevisionLoad(5.0, 2.0)]


def test_history_forgets_what_no_window_needs() -> None:
    history = History(60)
    for second in range(200):
        history.record(second, RevisionLoad(1.0, 1.0))
    assert len(list(history)) == 60


def test_rps_is_averaged_when_it_is_the_metric() -> None:
    history = History(60)
    history.record(1, RevisionLoad(2.0, 40.0))
    assert observe(history, replace(SPEC, metric="rps"), 1, 1.5) == Observed(40.0, 40.0, 1)
    assert observe(history, SPEC, 1, 1.5) == Observed(2.0, 2.0, 1)
    assert observe(History(60), SPEC, 1, 1.5) is None


LOADS = st.floats(0, 10_000, allow_nan=False)


@given(LOADS, LOADS, st.integers(0, 500), st.floats(0, 1000))
def test_decisions_stay_between_the_rates(
    stable: float, panic: float, ready: int, now: float
) -> None:
    spec = replace(SPEC, max_scale_up_rate=3.0)
    decision, state = decide(
        spec=spec, state=CALM, observed=Observed(stable, panic, ready), now=now
    )
    assert max(1, ready) // 2 <= decision.pods <= 3 * max(1, ready)
    assert (state.panic_since is not None) == (state.panic_pods > 0)


@given(LOADS, LOADS, st.integers(1, 50))
def test_more_load_never_means_fewer_pods(one: float, other: float, ready: int) -> None:
    less, more = sorted((one, other))
    assert pods(less, less, ready) <= pods(more, more, ready)


def replayed(
    loads: list[tuple[float, float]], *, first_tick: float, until: float, delay: float = 1.2
) -> list[tuple[float, int]]:
    """Changes of scale when loads (from a time on) meet a decider, pods ready after `delay`."""
    history, state, scale = History(60), CALM, 1
    ready: list[tuple[float, int]] = [(-100.0, 1)]
    changes = []
    second = -5
    tick = first_tick
    while tick < until:
        while second + 1 <= tick:
            # The average over the second that has just ended, as a scrape reports it.
            parts = [level for k in range(10) for level in [_level(loads, second + k / 10)]]
            history.record(second + 1, RevisionLoad(sum(parts) / 10, 0.0))
            second += 1
        count = next(n for at, n in reversed(ready) if at <= tick)
        observed = observe(history, SPEC, count, tick)
        assert observed is not None
        decision, state = decide(spec=SPEC, state=state, observed=observed, now=tick)
        least = 1 if tick < SPEC.stable_window else 0  # active for less than a window
        wanted = min(max(decision.pods, least), 5)
        if wanted != scale:
            changes.append((round(tick, 2), wanted))
            ready.append((tick + (delay if wanted > scale else 0.1), wanted))
            scale = wanted
        tick += 2.0
    return changes


def _level(loads: list[tuple[float, float]], at: float) -> float:
    return next((load for since, load in reversed(loads) if since <= at), 0.0)


def test_the_recorded_load_gives_the_recorded_scale() -> None:
    """golden 06-kpa: 10 clients from 0 s, 50 from 75.21 s, none from 150.61 s; ticks at odd .3."""
    changes = replayed([(0.0, 10.0), (75.21, 50.0), (150.61, 0.0)], first_tick=-2.7, until=220)
    recorded = [
        (5.3, 2), (77.3, 4), (79.3, 5),
        (177.3, 4), (185.3, 3), (193.3, 2), (203.3, 1), (211.3, 0),
    ]  # fmt: skip
    assert [scale for _, scale in changes] == [scale for _, scale in recorded]
    for (at, _), (expected, _) in zip(changes, recorded, strict=True):
        assert abs(at - expected) <= 2.0, changes
