"""From decisions to replicas: bounds, activation, and the way to zero."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.autoscaler import spec
from infra.embedded.autoscaler.scaler import Rules, Scale, Situation, scale
from infra.embedded.autoscaler.spec import Bounds
from infra.embedded.controllers.conditions import FALSE, TRUE, UNKNOWN, Condition
from infra.embedded.controllers.serving.config import AutoscalerConfig

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
RULES = Rules(
    bounds=Bounds(0, 0),
    initial_scale=1,
    enable_scale_to_zero=True,
    stable_window=60.0,
    grace_period=30.0,
    pod_retention=0.0,
    progress_deadline=600.0,
)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def situation(
    status: str, *, since: float = 0.0, proxied: float | None = None, initialized: bool = True
) -> Situation:
    active = Condition("Active", status, since=ago(since))
    return Situation(active, initialized, None if proxied is None else ago(proxied), NOW)


@pytest.mark.parametrize(
    ("rules", "desired", "where", "expected"),
    [
        # no data: an active revision stays as it is
        (RULES, -1, situation(TRUE), Scale(-1, apply=False)),
        # no data while activating: nothing to do until the deadline (600 s and 30 s)
        (RULES, -1, situation(UNKNOWN, since=10), Scale(-1, apply=False, again=620.0)),
        (RULES, -1, situation(UNKNOWN, since=630), Scale(0, apply=True)),
        # golden 04-failures: progress-deadline 30s, given up after 60 s
        (replace(RULES, progress_deadline=30.0), -1, situation(UNKNOWN, since=60.1),
         Scale(0, apply=True)),
        # initial and minimal scale
        (replace(RULES, initial_scale=3), -1, situation(UNKNOWN, initialized=False),
         Scale(3, apply=True)),
        (replace(RULES, initial_scale=3), 1, situation(TRUE), Scale(1, apply=True)),
        (replace(RULES, bounds=Bounds(2, 0)), 0, situation(TRUE, since=999), Scale(2, apply=True)),
        (replace(RULES, bounds=Bounds(0, 5)), 8, situation(TRUE), Scale(5, apply=True)),
        # to zero: one pod until the window is over, then inactive, then away
        (RULES, 0, situation(TRUE, since=20, proxied=100), Scale(1, apply=True, again=40.0)),
        (RULES, 0, situation(TRUE, since=60, proxied=100), Scale(0, apply=False, again=1.0)),
        (RULES, 0, situation(FALSE, since=0, proxied=100), Scale(0, apply=True)),
        (RULES, 0, situation(FALSE, since=0, proxied=10), Scale(0, apply=False, again=20.0)),
        (RULES, 0, situation(FALSE, since=30, proxied=10), Scale(0, apply=True)),
        (RULES, 0, situation(FALSE, since=99), Scale(0, apply=False, again=1.0)),
        (replace(RULES, pod_retention=50.0), 0, situation(FALSE, since=10, proxied=100),
         Scale(0, apply=False, again=40.0)),
        (replace(RULES, enable_scale_to_zero=False), 0, situation(TRUE, since=999),
         Scale(1, apply=True)),
    ],
)  # fmt: skip
def test_scale(rules: Rules, desired: int, where: Situation, expected: Scale) -> None:
    assert scale(desired=desired, rules=rules, situation=where) == expected


@given(
    desired=st.integers(1, 1000),
    minimum=st.integers(0, 20),
    maximum=st.integers(0, 20),
    status=st.sampled_from((TRUE, FALSE, UNKNOWN)),
)
def test_a_wanted_scale_stays_within_its_bounds(
    desired: int, minimum: int, maximum: int, status: str
) -> None:
    low, high = sorted((minimum, maximum)) if maximum else (minimum, 0)
    rules = replace(RULES, bounds=Bounds(low, high))
    found = scale(desired=desired, rules=rules, situation=situation(status))
    assert found.apply
    assert found.want >= max(low, 1)
    assert not high or found.want <= high


def autoscaler(**notes: str) -> dict[str, object]:
    return limited(0, **notes)


def limited(concurrency: int, reachability: str = "", **notes: str) -> dict[str, object]:
    annotations = {f"autoscaling.knative.dev/{k.replace('_', '-')}": v for k, v in notes.items()}
    reach = {"reachability": reachability} if reachability else {}
    limit = {"containerConcurrency": concurrency} if concurrency else {}
    return {"metadata": {"annotations": annotations}, "spec": {**limit, **reach}}


CONFIG = AutoscalerConfig()


@pytest.mark.parametrize(
    ("obj", "target", "total"),
    [
        (autoscaler(), 70.0, 100.0),
        (autoscaler(target="10"), 7.0, 10.0),
        (limited(10), 7.0, 10.0),
        (limited(10, target="50"), 7.0, 10.0),
        (limited(10, target="5"), 3.5, 5.0),
        (autoscaler(metric="rps"), 140.0, 200.0),
        (autoscaler(metric="rps", target="50"), 35.0, 50.0),
        (autoscaler(target="10", target_utilization_percentage="100"), 10.0, 10.0),
        (autoscaler(target="not a number"), 70.0, 100.0),
    ],
)
def test_targets(obj: dict[str, object], target: float, total: float) -> None:
    assert spec.targets(obj, CONFIG) == pytest.approx((target, total))


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (autoscaler(), Bounds(0, 0)),
        (autoscaler(min_scale="2", max_scale="5"), Bounds(2, 5)),
        (autoscaler(minScale="2", maxScale="5"), Bounds(2, 5)),
        (limited(0, "Unreachable", min_scale="2", max_scale="5"), Bounds(0, 5)),
        (limited(0, "Reachable", min_scale="2"), Bounds(2, 0)),
    ],
)
def test_bounds(obj: dict[str, object], expected: Bounds) -> None:
    assert spec.bounds(obj, CONFIG) == expected


@pytest.mark.parametrize(
    ("notes", "stable", "panic"),
    [
        ({}, 60.0, 6.0),
        ({"window": "40s"}, 40.0, 4.0),
        ({"window": "6s"}, 6.0, 1.0),
        ({"window": "1m", "panic_window_percentage": "50.0"}, 60.0, 30.0),
    ],
)
def test_windows(notes: dict[str, str], stable: float, panic: float) -> None:
    found = spec.decider_spec(autoscaler(**notes), CONFIG)
    assert (found.stable_window, found.panic_window) == (stable, panic)


def test_cluster_defaults_apply_where_there_is_no_annotation() -> None:
    config = replace(CONFIG, target_burst_capacity=0.0, scale_down_delay=30.0, initial_scale=2)
    found = spec.decider_spec(autoscaler(), config)
    assert (found.target_burst_capacity, found.scale_down_delay, found.initial_scale) == (0, 30, 2)
    own = spec.decider_spec(autoscaler(target_burst_capacity="-1", scale_down_delay="1m"), config)
    assert (own.target_burst_capacity, own.scale_down_delay) == (-1.0, 60.0)
