"""Backing off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.knative.retry import DELAYS, with_backoff
from tests.support.fake_install import RecordingClock


@given(st.lists(st.booleans(), max_size=12))
def test_it_stops_at_the_first_result_that_stands(passing: list[bool]) -> None:
    results = iter([*passing, False])
    clock = RecordingClock()
    tried: list[bool] = []

    def attempt() -> bool:
        tried.append(next(results))
        return tried[-1]

    last = with_backoff(attempt, lambda again: again, clock=clock)
    assert len(tried) <= len(DELAYS) + 1
    assert clock.slept == list(DELAYS[: len(tried) - 1])
    assert last == tried[-1]
    assert last is False or len(tried) == len(DELAYS) + 1


@pytest.mark.parametrize("delays", [(), (1.0,)])
def test_one_attempt_more_than_delays(delays: tuple[float, ...]) -> None:
    tried: list[int] = []
    with_backoff(lambda: tried.append(1), lambda _: True, clock=RecordingClock(), delays=delays)
    assert len(tried) == len(delays) + 1


def test_delays_grow() -> None:
    assert list(DELAYS) == sorted(DELAYS)
