"""When a Job is over, and when its next pod comes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.embedded.controllers.workloads.job import (
    Tally,
    Verdict,
    backoff,
    missing,
    tally,
    verdict,
    with_selector,
)
from infra.embedded.kinds import JOB, POD
from tests.support.simulation import Simulation, simulate

Obj = dict[str, Any]
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
COMPLETE = Verdict("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
FAILED = Verdict("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
LATE = Verdict("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")


@pytest.mark.parametrize(
    ("spec", "counts", "age", "expected"),
    [
        ({}, Tally(1, 0, 0, 0), 0, None),
        ({}, Tally(0, 0, 1, 0), 0, COMPLETE),
        ({"completions": 3}, Tally(0, 0, 2, 0), 0, None),
        ({"completions": 3}, Tally(0, 0, 3, 0), 0, COMPLETE),
        ({"backoffLimit": 0}, Tally(0, 0, 0, 1), 0, FAILED),
        ({"backoffLimit": 1}, Tally(0, 0, 0, 1), 0, None),
        ({}, Tally(0, 0, 0, 7), 0, FAILED),
        ({"activeDeadlineSeconds": 10}, Tally(1, 1, 0, 0), 10, LATE),
        ({"activeDeadlineSeconds": 10}, Tally(1, 1, 0, 0), 9, None),
    ],
)
def test_verdict(spec: Obj, counts: Tally, age: float, expected: Verdict | None) -> None:
    assert verdict(spec=spec, counts=counts, age=age) == expected


@pytest.mark.parametrize(
    ("spec", "counts", "expected"),
    [
        ({}, Tally(0, 0, 0, 0), 1),
        ({}, Tally(1, 0, 0, 0), 0),
        ({"parallelism": 2, "completions": 5}, Tally(0, 0, 0, 0), 2),
        ({"parallelism": 2, "completions": 5}, Tally(1, 0, 3, 0), 1),
        ({"parallelism": 2, "completions": 5}, Tally(0, 0, 4, 0), 1),
        ({"parallelism": 0}, Tally(0, 0, 0, 0), 0),
    ],
)
def test_missing(spec: Obj, counts: Tally, expected: int) -> None:
    assert missing(spec, counts) == expected


@pytest.mark.parametrize(
    ("failed", "expected"), [(0, 0.0), (1, 10.0), (2, 20.0), (3, 40.0), (9, 360.0)]
)
def test_pauses_between_failures_grow(failed: int, expected: float) -> None:
    assert backoff(Tally(0, 0, 0, failed, NOW), NOW) == expected


def test_a_pause_that_is_over() -> None:
    assert backoff(Tally(0, 0, 0, 1, NOW - timedelta(seconds=15)), NOW) == -5.0


def test_pods_are_counted_by_state() -> None:
    def pod(phase: str) -> Obj:
        return {
            "metadata": {"creationTimestamp": "2026-11-22T08:00:00Z"},
            "status": {"phase": phase},
        }

    phases = ("Running", "Pending", "Succeeded", "Failed", "Failed")
    assert tally([pod(phase) for phase in phases]) == Tally(2, 0, 1, 2, NOW)


def job(**spec: Any) -> Obj:
    template = {"spec": {"containers": [{"name": "a", "image": "x"}], "restartPolicy": "Never"}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once", "namespace": "default"},
        "spec": {"template": template, "completions": 1, "parallelism": 1, **spec},
    }


def test_a_new_job_selects_its_own_pods() -> None:
    made = job()
    made["metadata"]["uid"] = "u"
    selected = with_selector(made)["spec"]
    labels = selected["template"]["metadata"]["labels"]
    assert selected["selector"]["matchLabels"].items() <= labels.items()
    assert labels["job-name"] == "once"


def finished(phase: str) -> Obj:
    return {"phase": phase, "conditions": []}


@pytest.mark.parametrize(
    ("phase", "spec", "expected"),
    [
        ("Succeeded", {}, "Complete"),
        ("Succeeded", {"completions": 3}, "Complete"),
        ("Failed", {"backoffLimit": 0}, "Failed"),
        ("Failed", {"backoffLimit": 1}, "Failed"),
    ],
)
def test_a_job_ends(phase: str, spec: Obj, expected: str) -> None:
    async def story(cluster: Simulation) -> None:
        cluster.kubelet.fates["x"] = finished(phase)
        cluster.store.create(JOB, job(**spec))
        await cluster.until(lambda: cluster.status(JOB, "once", expected) is not None)
        status = cluster.store.get(JOB, "default", "once")["status"]
        wanted = spec.get("completions", 1) if phase == "Succeeded" else spec["backoffLimit"] + 1
        assert status["succeeded" if phase == "Succeeded" else "failed"] == wanted

    simulate(story)


def test_a_finished_job_goes_when_its_time_is_over() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.kubelet.fates["x"] = finished("Succeeded")
        cluster.store.create(JOB, job(ttlSecondsAfterFinished=5))
        await cluster.until(lambda: cluster.store.find(JOB, "default", "once") is None)
        await asyncio.sleep(0.01)
        assert cluster.store.list(POD, "default") == []

    simulate(story)
