"""What is said about a body that is not the expected one."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.agent.body import body_mismatch
from probes.agent.bounded import search
from probes.agent.outcomes import Failure, Outcome
from probes.agent.plan import BodyCheck

ENDLESS = "(a+)+$"


@pytest.mark.parametrize(
    ("check", "body", "reason"),
    [
        (
            BodyCheck(exact="Hello World!\n"),
            b"Hello World!",
            r"body is not exactly 'Hello World!\n': from byte 12 on it is '' instead of '\n',"
            " 12 bytes instead of 13",
        ),
        (
            BodyCheck(exact="a\tb"),
            b"a b ",
            r"body is not exactly 'a\tb': from byte 1 on it is ' b ' instead of '\tb',"
            " 4 bytes instead of 3",
        ),
        (
            BodyCheck(contains="echo ok"),
            b"echo\xa0ok\r\n",
            r"body does not contain 'echo ok': it is 'echo\\xa0ok\r\n'",
        ),
        (
            BodyCheck(regex="^ok$"),
            b"o" * 100,
            f"body does not match the pattern '^ok$': it is '{'o' * 80}'... (100 in all)",
        ),
    ],
)
def test_the_difference_is_shown_with_its_white_space(
    check: BodyCheck, body: bytes, reason: str
) -> None:
    assert body_mismatch(check, body) == reason


@given(expected=st.text(max_size=500), body=st.binary(max_size=5000))
def test_a_difference_is_found_exactly_where_there_is_one(expected: str, body: bytes) -> None:
    reason = body_mismatch(BodyCheck(exact=expected), body)
    assert (reason is None) == (expected.encode() == body)
    # Of a body as large as may be, only a line goes into the report.
    assert reason is None or len(reason) < 2000
    assert reason is None or "\n" not in reason


def test_a_pattern_without_end_is_the_probers_own_error_and_tried_once() -> None:
    body = b"a" * 64 + b"!"
    for _ in range(100):  # more than the time for one search, if each were tried
        with pytest.raises(Failure) as caught:
            body_mismatch(BodyCheck(regex=ENDLESS), body)
        assert caught.value.outcome is Outcome.PROBER_ERROR
    assert ENDLESS in caught.value.detail


def test_the_next_search_has_its_time_again() -> None:
    with pytest.raises(Failure):
        search("(b+)+$", "b" * 64 + "!")
    assert search("^b+!$", "b" * 64 + "!")
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
