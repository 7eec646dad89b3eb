"""Findings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ClusterError
from harness.core.finding import (
    Check,
    Finding,
    Seen,
    Status,
    failure,
    ok,
    perform_all,
    skipped,
    warning,
    worst,
)


@pytest.mark.parametrize(
    "seen", [ok("fine"), warning("hm", "do"), failure("no", "do"), skipped("why")]
)
def test_a_finding_says_what_its_look_saw(seen: Seen) -> None:
    finding = Check("id", "because", lambda _subject: seen).perform(3)
    assert finding == Finding("id", seen.status, seen.what, "because", seen.mend)


def test_a_look_that_fails_is_a_finding_with_its_mend() -> None:
    def look(_subject: None) -> Seen:
        raise ClusterError("cannot", mend="can")

    finding = Check("id", "because", look).perform(None)
    assert (finding.status, finding.seen, finding.mend) == (Status.FAILURE, "cannot", "can")


@pytest.mark.parametrize(
    "error", [OSError("x"), KeyError("x"), AssertionError("x"), TypeError("x")]
)
def test_a_check_that_breaks_never_raises(error: Exception) -> None:
    def look(_subject: None) -> Seen:
        raise error

    finding = Check("id", "because", look).perform(None)
    assert finding.status is Status.FAILURE
    assert type(error).__name__ in finding.seen


@given(st.lists(st.sampled_from(list(Status))))
def test_the_worst_decides(statuses: list[Status]) -> None:
    order = list(Status)
    checks = [
        Check(str(number), "why", lambda _subject, status=status: Seen(status, "s", "m"))
        for number, status in enumerate(statuses)
    ]
    findings = perform_all(checks, None)
    assert [finding.id for finding in findings] == [check.id for check in checks]
    assert worst(findings) is max(statuses, key=order.index, default=Status.OK)
