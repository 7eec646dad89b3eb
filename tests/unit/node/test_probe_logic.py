"""Probe parameters and what results add up to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.kubelet.probes import Probe, Tally


def test_defaults_are_kubernetes() -> None:
    assert Probe.parse({"tcpSocket": {"port": 1}}) == Probe(action={"tcpSocket": {"port": 1}})


def test_zero_means_the_default_except_for_the_delay() -> None:
    probe = Probe.parse({"httpGet": {}, "periodSeconds": 0, "timeoutSeconds": 0})
    assert (probe.period, probe.timeout, probe.initial_delay) == (10, 1, 0)


@pytest.mark.parametrize(
    ("start", "results", "verdict"),
    [
        (False, [True], True),
        (True, [False, False], True),
        (True, [False, False, False], False),
        (True, [False, False, True, False, False], True),
        (False, [False, False, False, True], True),
    ],
)
def test_thresholds(start: bool, results: list[bool], verdict: bool) -> None:
    tally, probe = Tally(verdict=start), Probe(action={})
    for ok in results:
        tally = tally.add(ok, probe)
    assert tally.verdict is verdict


def test_several_successes_may_be_asked_for() -> None:
    tally, probe = Tally(verdict=False), Probe(action={}, successes=2)
    tally = tally.add(True, probe)
    assert not tally.verdict
    assert tally.add(True, probe).verdict


@given(st.lists(st.booleans()), st.integers(1, 5), st.integers(1, 5))
def test_a_verdict_never_contradicts_the_latest_run(
    results: list[bool], successes: int, failures: int
) -> None:
    probe = Probe(action={}, successes=successes, failures=failures)
    tally = Tally(verdict=False)
    for ok in results:
        tally = tally.add(ok, probe)
    assert not (tally.verdict and tally.failures >= failures)
    assert tally.verdict or tally.successes < successes
