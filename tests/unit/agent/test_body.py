"""What is said about a body that is not the expected one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.agent.body import body_mismatch
from probes.agent.plan import BodyCheck


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
