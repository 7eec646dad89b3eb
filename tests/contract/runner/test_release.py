"""Contracts that wait for a cluster which is gone: they are told, and can be let go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.runner.drain import drain
from harness.runner.ledger import Ledger, Mark
from harness.runner.lock import Busy, cluster_lock
from harness.runner.offline import make_examiner, offline_kubectl
from harness.runner.queue import Queue
from harness.runner.release import Released, release
from harness.runner.status import Status, read_status
from harness.timing.clock import SystemClock
from tests.support.killed import killed_at
from tests.support.runner import Desk

GONE = "99999999-0000-0000-0000-000000000000"


def let_go(desk: Desk, run_id: str) -> Released:
    return release(
        run_id,
        by="alice",
        settings=desk.settings,
        examiner=make_examiner(desk.settings),
        kubectl=offline_kubectl(),
        clock=SystemClock(),
    )


def status_of(desk: Desk, run_id: str) -> Status:
    return read_status(desk.settings.reports / run_id / "status.json")


def test_another_cluster_leaves_it_alone_and_tells_of_it(desk: Desk) -> None:
    run_id = killed_at(desk, "applying", cluster=GONE)
    runner = desk.runner()
    assert drain(runner, tell=lambda _news: None).observed == ()
    (stranded,) = runner.stranded()
    assert (stranded.run_id, stranded.mark, stranded.cluster) == (run_id, "applying", GONE)


def test_what_waits_for_this_cluster_is_not_stranded(desk: Desk) -> None:
    killed_at(desk, "applying")
    assert desk.runner().stranded() == []


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("started", "it was not changed"),
        ("applying", "it may have been changed"),
        ("applied", "it may have been changed"),
    ],
)
def test_what_had_begun_fails_with_an_honest_record(desk: Desk, mark: Mark, said: str) -> None:
    run_id = killed_at(desk, mark, cluster=GONE)
    released = let_go(desk, run_id)

    assert released.state == "failed"
    assert released.path == desk.settings.inbox / "_failed" / f"{run_id}.json"
    status = status_of(desk, run_id)
    assert status.reason.startswith(f"released by alice; interrupted when {mark} on cluster {GONE}")
    assert said in status.reason
    assert (status.contract_id, status.cluster.uid) == ("apply_hello", GONE)
    assert [entry.mark for entry in Ledger(desk.settings.ledger).entries(GONE)][-1] == "failed"
    assert desk.kubectl.state["calls"] == []
    assert desk.runner().stranded() == []


def test_what_had_not_begun_waits_again(desk: Desk) -> None:
    run_id = killed_at(desk, None)
    released = let_go(desk, run_id)
    assert (released.state, released.path.parent) == ("inbox", desk.settings.inbox)
    assert [seen.state for seen in drain(desk.runner(), tell=lambda _: None).observed] == [
        "succeeded"
    ]


def test_what_had_ended_is_only_filed(desk: Desk) -> None:
    done = desk.runner().execute(desk.contract())
    inbox = desk.settings.inbox
    (inbox / "_done" / f"{done.run_id}.json").rename(inbox / "_running" / f"{done.run_id}.json")
    released = let_go(desk, done.run_id)
    assert (released.state, released.path.parent.name) == ("succeeded", "_done")
    assert status_of(desk, done.run_id).state == "succeeded"


def test_the_same_work_may_run_elsewhere_afterwards(desk: Desk) -> None:
    let_go(desk, killed_at(desk, "applying", cluster=GONE))
    assert desk.runner().execute(desk.contract()).state == "succeeded"


@pytest.mark.parametrize("run_id", ["nope", "../../etc/passwd", ""])
def test_an_unknown_run_is_told(desk: Desk, run_id: str) -> None:
    with pytest.raises(UsageError, match="was left behind by a killed run"):
        let_go(desk, run_id)


def test_what_a_runner_works_on_is_not_released(desk: Desk) -> None:
    run_id = killed_at(desk, "applying", cluster=GONE)
    held = Queue(inbox=desk.settings.inbox, reports=desk.settings.reports).orphan(run_id)
    assert held is not None
    with pytest.raises(UsageError, match="was left behind"):
        let_go(desk, run_id)
    held.close()


def test_a_kubectl_that_still_works_holds_it(desk: Desk) -> None:
    run_id = killed_at(desk, "applying", cluster=GONE)
    path = Ledger(desk.settings.ledger).lock_path(GONE)
    with cluster_lock(path, timeout=1, clock=SystemClock()), pytest.raises(Busy):
        let_go(desk, run_id)
    assert desk.filed("_running") == [f"{run_id}.json"]


def test_a_link_in_running_is_nothing_to_release(desk: Desk) -> None:
    running = desk.settings.inbox / "_running"
    running.mkdir()
    Path(running / "link.json").symlink_to("/etc/hostname")
    os.mkfifo(running / "pipe.json")
    for run_id in ("link", "pipe"):
        with pytest.raises(UsageError, match="was left behind"):
            let_go(desk, run_id)
