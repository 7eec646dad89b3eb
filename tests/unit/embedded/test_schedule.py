"""Cron schedules and the Jobs that are due."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.controllers.workloads import cronjob, schedule

Obj = dict[str, Any]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * *", "2026-11-22T08:17:14", "2026-11-22T08:18:00"),
        ("*/15 * * * *", "2026-11-22T08:17:14", "2026-11-22T08:30:00"),
        ("0 3 * * *", "2026-11-22T08:17:14", "2026-11-23T03:00:00"),
        ("30 8 * * *", "2026-11-22T08:17:14", "2026-11-22T08:30:00"),
        ("0 0 1 1 *", "2026-11-22T08:17:14", "2027-01-01T00:00:00"),
        ("0 0 29 2 *", "2026-11-22T08:17:14", "2028-02-29T00:00:00"),
        ("0 12 * * mon-fri", "2026-11-21T08:00:00", "2026-11-23T12:00:00"),
        ("0 12 * * 7", "2026-11-21T08:00:00", "2026-11-22T12:00:00"),
        ("0 0 13 * fri", "2026-11-21T08:00:00", "2026-11-27T00:00:00"),
        ("5,35 9-11/2 * jan,dec *", "2026-11-22T08:17:14", "2026-12-01T09:05:00"),
        ("10/20 * * * *", "2026-11-22T08:17:14", "2026-11-22T08:30:00"),
        ("@hourly", "2026-11-22T08:17:14", "2026-11-22T09:00:00"),
        ("@daily", "2026-11-22T08:17:14", "2026-11-23T00:00:00"),
        ("@weekly", "2026-11-22T08:17:14", "2026-11-29T00:00:00"),
        ("59 23 31 12 *", "2026-12-31T23:59:00", "2027-12-31T23:59:00"),
    ],
)
def test_the_next_time(text: str, after: str, expected: str) -> None:
    assert schedule.parse(text).after(at(after)) == at(expected)


def test_a_day_that_never_comes() -> None:
    assert schedule.parse("0 0 31 2 *").after(at("2026-11-22T08:17:14")) is None


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
     "*/0 * * * *", "5-1 * * * *", "x * * * *", "@often"],
)  # fmt: skip
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        schedule.parse(text)


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
)
def test_a_daily_time_comes_within_a_day(minute: int, hour: int, start: datetime) -> None:
    moment = start.replace(tzinfo=UTC)
    found = schedule.parse(f"{minute} {hour} * * *").after(moment)
    assert found is not None
    assert timedelta(0) < found - moment <= timedelta(days=1)
    assert (found.hour, found.minute) == (hour, minute)


def cron(last: str | None = None, **spec: Any) -> Obj:
    status = {"lastScheduleTime": last} if last else {}
    meta = {"name": "tick", "namespace": "default", "uid": "u",
            "creationTimestamp": "2026-11-22T08:00:30Z"}  # fmt: skip
    job: Obj = {"spec": {"template": {"spec": {"containers": []}}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": meta,
        "spec": {"jobTemplate": job, **spec},
        "status": status,
    }


MINUTELY = schedule.parse("* * * * *")


@pytest.mark.parametrize(
    ("obj", "now", "expected"),
    [
        (cron(), "2026-11-22T08:00:45", None),
        (cron(), "2026-11-22T08:01:10", "2026-11-22T08:01:00"),
        (cron("2026-11-22T08:01:00Z"), "2026-11-22T08:01:40", None),
        (cron("2026-11-22T08:01:00Z"), "2026-11-22T08:04:10", "2026-11-22T08:04:00"),
        (cron(startingDeadlineSeconds=20), "2026-11-22T08:01:50", None),
        (cron(startingDeadlineSeconds=20), "2026-11-22T08:02:10", "2026-11-22T08:02:00"),
    ],
)
def test_what_is_due(obj: Obj, now: str, expected: str | None) -> None:
    found = cronjob.due_time(obj, MINUTELY, at(now))
    assert found == (at(expected) if expected else None)


def test_each_due_time_has_one_job() -> None:
    one = cronjob.job_of(cron(), at("2026-11-22T08:01:00"))
    assert one == cronjob.job_of(cron(), at("2026-11-22T08:01:00"))
    other = cronjob.job_of(cron(), at("2026-11-22T08:02:00"))
    assert one["metadata"]["name"] != other["metadata"]["name"]
    assert one["spec"]["completions"] == 1


def job(name: str, condition: str) -> Obj:
    status = {"conditions": [{"type": condition, "status": "True"}]} if condition else {}
    return {"metadata": {"name": name, "creationTimestamp": name}, "status": status}


def test_the_oldest_finished_jobs_are_forgotten() -> None:
    jobs = [job("c", "Complete"), job("a", "Complete"), job("b", "Failed"), job("d", "")]
    assert cronjob.beyond_history(jobs, 1, "Complete") == [jobs[1]]
    assert cronjob.beyond_history(jobs, 1, "Failed") == []
    assert cronjob.beyond_history(jobs, 0, "Failed") == [jobs[2]]
