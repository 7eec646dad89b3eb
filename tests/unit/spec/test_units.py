"""Units: what is read is what was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.units import format_duration, parse_duration, parse_rate, parse_ratio


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5), ("1.5 m", 90), ("2h", 7200), (" 1s ", 1)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "rate"), [("10/s", 10), ("30 / m", 0.5), ("0.1/s", 0.1)])
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("value", "ratio"), [("99%", 0.99), ("99.9 %", 0.999), ("0.5", 0.5), (0.25, 0.25), (1, 1)]
)
def test_ratios(value: object, ratio: float) -> None:
    assert parse_ratio(value) == pytest.approx(ratio)


@pytest.mark.parametrize("wrong", ["", "5", "s", "-5s", "5 s s", "١s", "1e3s", None, 5, True, []])
def test_wrong_durations(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(wrong)


@pytest.mark.parametrize("wrong", ["", "10", "0/s", "/s", "10/d", 10, None])
def test_wrong_rates(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(wrong)


@pytest.mark.parametrize("wrong", ["101%", "1.5", -0.1, 2, True, None, "nan", float("nan")])
def test_wrong_ratios(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a ratio"):
        parse_ratio(wrong)


@given(st.floats(min_value=0.001, max_value=9999))
def test_a_formatted_duration_is_read_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-3)
