"""The one line that a run ends with."""

from __future__ import annotations

import pytest

from harness.core.explain import headline
from harness.core.verdict import ExitCode, RunVerdict, StepVerdict, Verdict


@pytest.mark.parametrize(
    ("verdict", "expected", "line", "code"),
    [
        (Verdict.PASS, None, "PASS: why", ExitCode.PASS),
        (Verdict.FAIL, None, "FAIL: why", ExitCode.FAIL),
        (Verdict.FAIL, True, "FAIL, as the scenario expects: why", ExitCode.PASS),
        (
            Verdict.PASS,
            False,
            "PASS, but drill did not end as the scenario expects: why",
            ExitCode.FAIL,
        ),
        (
            Verdict.ERROR,
            False,
            "ERROR, but drill did not end as the scenario expects: why",
            ExitCode.FAIL,
        ),
    ],
)
def test_a_run_says_whether_it_ended_as_it_should(
    verdict: Verdict, expected: bool | None, line: str, code: ExitCode
) -> None:
    run = RunVerdict(verdict, "why", (StepVerdict("drill", verdict, "why", expected=expected),))
    assert headline(run) == line
    assert run.exit_code is code
