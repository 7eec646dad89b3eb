"""Indicators: intervals, sample sizes, and the summary of a stream of samples."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.observation import ProbeObserved
from harness.core.outcome import HOP_OF, OK, PROBER_ERROR
from harness.core.sample import Sample
from harness.core.sli import MAX_KEYS, OTHER, ratio_text, samples_to_prove, summarise, wilson

ASKED = ProbeObserved(
    service="hello", namespace="default", vantage="devbox", url="http://hello", at="", until=""
)


def sample(outcome: str = OK, **fields: object) -> Sample:
    return Sample(id="s", target="default/hello", at="", outcome=outcome, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("good", "valid", "low", "high"),
    [
        (20, 20, 0.8388748, 1.0),
        (381, 381, 0.9900181, 1.0),
        (380, 380, 0.9899921, 1.0),
        (0, 20, 0.0, 0.1611252),
        (10, 20, 0.2992980, 0.7007020),
        (1, 1, 0.2065493, 1.0),
    ],
)
def test_wilson_gives_the_known_intervals(good: int, valid: int, low: float, high: float) -> None:
    interval = wilson(good, valid)
    assert interval is not None
    assert interval == pytest.approx((low, high), abs=1e-6)


def test_wilson_of_nothing_is_no_data() -> None:
    assert wilson(0, 0) is None
    assert ratio_text(0, 0) == "no data"


def test_a_ratio_is_printed_with_its_counts_and_interval() -> None:
    assert ratio_text(20, 20) == "20/20 = 100.00% (95 % interval 83.89% to 100.00%)"


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_ratio_and_stays_in_bounds(counts: tuple[int, int]) -> None:
    good, valid = counts
    interval = wilson(good, valid)
    assert interval is not None
    low, high = interval
    assert 0.0 <= low <= good / valid <= high <= 1.0
    assert low < high


@pytest.mark.parametrize(("objective", "samples"), [(0.99, 381), (0.95, 73), (0.999, 3838), (0, 1)])
def test_samples_to_prove_gives_the_known_sizes(objective: float, samples: int) -> None:
    assert samples_to_prove(objective) == samples


@given(st.floats(0.01, 0.9999))
def test_samples_to_prove_is_the_smallest_size_that_proves(objective: float) -> None:
    needed = samples_to_prove(objective)
    proves, just_short = wilson(needed, needed), wilson(needed - 1, needed - 1)
    assert proves is not None
    assert proves[0] >= objective - 1e-9
    assert just_short is None or just_short[0] < objective + 1e-9


@pytest.mark.parametrize("objective", [1, 1.5, -0.1])
def test_what_cannot_be_proven_is_refused(objective: float) -> None:
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        samples_to_prove(objective)


def test_no_samples_are_no_data() -> None:
    summary = summarise([], asked=ASKED)
    assert (summary.total, summary.valid, summary.good) == (0, 0, 0)
    assert summary.latency is None
    assert summary.first_good_after is None
    assert summary.outcomes == {}


def test_warmup_and_prober_errors_are_counted_but_not_valid() -> None:
    summary = summarise(
        [
            sample(warmup=True),
            sample("connect_refused", warmup=True),
            sample(PROBER_ERROR),
            sample(),
        ],
        asked=ASKED,
    )
    assert (summary.total, summary.warmup, summary.valid, summary.good) == (4, 2, 1, 1)
    assert summary.outcomes == {"connect_refused": 1, "ok": 2, "prober_error": 1}


def test_the_first_sample_of_each_outcome_is_named_with_its_detail() -> None:
    samples = [
        Sample(id="a", target="t", at="", outcome="connect_refused", detail="errno 111"),
        Sample(id="b", target="t", at="", outcome="connect_refused", detail="other"),
        Sample(id="c", target="t", at="", outcome=OK),
    ]
    summary = summarise(samples, asked=ASKED)
    assert summary.first_ids == {"connect_refused": "a", "ok": "c"}
    assert summary.details == {"connect_refused": "errno 111"}


def test_failures_are_split_by_who_answered_and_by_revision() -> None:
    summary = summarise(
        [
            sample("status_mismatch", status=404, by_gateway=True, server="envoy"),
            sample("status_mismatch", status=500, revision="hello-00002", through_gateway=True),
            sample(status=200, revision="hello-00001", through_gateway=True),
        ],
        asked=ASKED,
    )
    assert summary.gateway_failures == {"404": 1}
    assert summary.service_failures == {"500": 1}
    assert summary.failures_by_revision == {"hello-00002": 1}
    assert summary.revisions == {"hello-00001": 1, "hello-00002": 1}
    assert summary.through_gateway == 2


def test_latency_counts_good_samples_only_and_the_first_apart() -> None:
    summary = summarise(
        [sample(seconds=2.0), sample("wait_timeout", seconds=9.0), sample(seconds=0.1)],
        asked=ASKED,
        thresholds=(0.3, 5),
    )
    assert summary.latency is not None
    assert (summary.latency.count, summary.latency.max) == (2, 2.0)
    assert summary.first_good_seconds == 2.0
    assert summary.later_max == pytest.approx(0.1)
    assert summary.latencies_within == {"0.3": 1, "5": 2}


def test_steady_is_five_successes_in_a_row() -> None:
    outcomes = [OK, OK, "reset", OK, OK, OK, OK, OK, OK]
    summary = summarise(
        [sample(outcome, offset=float(i)) for i, outcome in enumerate(outcomes)], asked=ASKED
    )
    assert (summary.first_good_after, summary.steady_after) == (0.0, 7.0)


def test_names_from_the_target_cannot_grow_the_summary() -> None:
    summary = summarise([sample(server=f"s{i}") for i in range(MAX_KEYS * 3)], asked=ASKED)
    assert len(summary.servers) == MAX_KEYS + 1
    assert summary.servers[OTHER] == MAX_KEYS * 2
    assert sum(summary.servers.values()) == MAX_KEYS * 3


@given(
    st.lists(
        st.builds(
            Sample,
            id=st.just("s"),
            target=st.just("t"),
            at=st.just(""),
            outcome=st.sampled_from(sorted(HOP_OF)),
            seconds=st.floats(0, 100),
            warmup=st.booleans(),
        ),
        max_size=60,
    )
)
def test_counts_leave_nothing_out(samples: Sequence[Sample]) -> None:
    summary = summarise(samples, asked=ASKED, thresholds=(1.0,))
    assert sum(summary.outcomes.values()) == summary.total == len(samples)
    assert summary.good <= summary.valid <= summary.total - summary.warmup
    assert (summary.latency.count if summary.latency else 0) == summary.good
    assert sum(count for _, count in summary.histogram) == summary.good
    if summary.latency is not None:
        assert summary.latency.min <= summary.latency.p50 <= summary.latency.p99
        assert summary.latency.p99 <= summary.latency.max
        assert summary.latency.min <= summary.latency.mean <= summary.latency.max + 1e-9
