"""Going on after a killed runner: what it finds, what it says, and what it must not do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.core.observation import ContractObserved
from harness.runner.drain import drain
from harness.runner.ledger import Mark
from harness.runner.queue import Queue
from harness.runner.states import Event
from tests.support.killed import killed_at
from tests.support.runner import HELLO, Desk, identity, manifest


def resume(desk: Desk, **changes: Any) -> list[ContractObserved]:
    drained = drain(desk.runner(**changes), tell=lambda _news: None)
    assert drained.troubles == ()
    return list(drained.observed)


def log(observed: ContractObserved) -> str:
    return (Path(observed.folder) / "run.log").read_text()


@pytest.mark.parametrize("mark", [None, "started"])
def test_before_anything_was_sent_it_runs_as_if_new(desk: Desk, mark: Mark | None) -> None:
    killed_at(desk, mark)
    (observed,) = resume(desk)
    assert observed.state == "succeeded"
    assert "applied again" not in log(observed)


def test_an_apply_that_never_arrived_is_sent_and_that_is_said(desk: Desk) -> None:
    killed_at(desk, "applying")
    (observed,) = resume(desk)
    assert observed.state == "succeeded"
    assert "resumed after an interruption; last known: applying" in log(observed)
    assert "differences remain: the manifest is applied again" in log(observed)
    assert observed.reason.endswith("(resumed after an interruption)")


@pytest.mark.parametrize("mark", ["applying", "applied"])
def test_an_apply_that_arrived_is_not_sent_again(desk: Desk, mark: Mark) -> None:
    desk.runner().execute(desk.contract("by_the_killed_runner"))
    killed_at(desk, mark)
    (observed,) = resume(desk)
    assert observed.state == "succeeded"
    assert desk.kubectl.verbs.count("apply") == 0
    assert "applied again" not in log(observed)


def test_a_run_that_only_lacked_its_filing_is_filed(desk: Desk) -> None:
    done = desk.runner().execute(desk.contract())
    inbox = desk.settings.inbox
    (inbox / "_done" / "apply_hello.json").rename(inbox / "_running" / "apply_hello.json")
    status = (Path(done.folder) / "status.json").read_bytes()

    (observed,) = resume(desk)

    assert (observed.state, observed.run_id) == ("succeeded", done.run_id)
    assert observed.content_hash == done.content_hash
    assert (Path(done.folder) / "status.json").read_bytes() == status
    assert desk.filed("_done") == ["apply_hello.json"]


def test_a_manifest_that_changed_meanwhile_is_a_failure_to_look_at(desk: Desk) -> None:
    killed_at(desk, "applying")
    (desk.repo / HELLO).write_text(manifest(target="Moon"))
    (observed,) = resume(desk)
    assert observed.state == "failed"
    assert "interrupted while applying, and the manifest was changed since" in observed.reason
    assert desk.kubectl.verbs == []


def test_a_manifest_that_changed_before_anything_was_sent_is_refused(desk: Desk) -> None:
    killed_at(desk, "started")
    (desk.repo / HELLO).write_text(manifest(target="Moon"))
    (observed,) = resume(desk)
    assert observed.state == "refused"
    assert observed.reason.startswith("approval_invalid")


def test_an_approval_that_was_taken_back_is_a_failure_once_it_was_applied(desk: Desk) -> None:
    killed_at(desk, "applied")
    policy = desk.settings.policy.read_text()
    desk.settings.policy.write_text(policy.replace("name: tester", "name: nobody"))
    (observed,) = resume(desk)
    assert observed.state == "failed"
    assert observed.reason.startswith("approval_invalid")


def test_a_run_on_another_cluster_is_left_to_its_runner(desk: Desk) -> None:
    killed_at(desk, "applying", cluster="another")
    assert resume(desk) == []
    assert desk.filed("_running") == ["apply_hello.json"]
    desk.kubectl.state["uid"] = "another"
    (observed,) = resume(desk, cluster=identity(uid="another"))
    assert observed.state == "succeeded"


@pytest.mark.parametrize(
    ("behaviour", "state"),
    [({"uid": "other"}, "failed"), ({"never_ready": True}, "failed"), ({"serves": []}, "failed")],
)
def test_what_goes_wrong_after_an_apply_is_a_failure(
    desk: Desk, behaviour: dict[str, Any], state: str
) -> None:
    killed_at(desk, "applied")
    desk.kubectl.state.update(behaviour)
    (observed,) = resume(desk)
    assert observed.state == state


def test_what_was_there_before_is_what_the_first_attempt_saw(desk: Desk) -> None:
    run_id = killed_at(desk, "applying")
    folder = desk.settings.reports / run_id
    (folder / "before.yaml").write_text("")
    desk.runner().execute(desk.contract("by_the_killed_runner"))
    (observed,) = resume(desk)
    assert (observed.generation_before, observed.generation_after) == (None, 1)


def test_a_contract_that_was_claimed_and_judged_bad_is_refused_again(desk: Desk) -> None:
    path = desk.in_inbox(desk.file("bad.json", b"{"))
    queue = Queue(inbox=desk.settings.inbox, reports=desk.settings.reports)
    claim = queue.claim(path)
    assert claim is not None
    claim.close()
    (observed,) = resume(desk)
    assert (observed.state, desk.filed("_refused")) == ("refused", ["bad.json"])


def test_a_running_contract_that_somebody_holds_is_left_alone(desk: Desk) -> None:
    queue = Queue(inbox=desk.settings.inbox, reports=desk.settings.reports)
    claim = queue.claim(desk.in_inbox(desk.contract()))
    assert claim is not None
    queue.advance(claim, Event.START)
    assert resume(desk) == []
    claim.close()
    assert [seen.state for seen in resume(desk)] == ["succeeded"]


def test_a_historical_contract_keeps_its_id_over_a_kill(desk: Desk) -> None:
    """It has no id but its file's name; the second run of it is called otherwise."""
    inbox = desk.settings.inbox
    asked = b'{"kind": "ask", "source": "x", "actions": [{"cmd": "kubectl get pods"}]}'
    (inbox / "x.json").write_bytes(asked)
    (first,) = resume(desk)
    (inbox / "x.json").write_bytes(asked)
    claim = Queue(inbox=inbox, reports=desk.settings.reports).claim(inbox / "x.json")
    assert claim is not None
    claim.close()

    (second,) = resume(desk)

    assert (first.state, second.run_id, second.contract) == ("succeeded", "x-2", "x.json")
    assert second.reason.startswith("already_done: run x succeeded")


def test_a_name_that_an_earlier_run_had_does_not_stand_for_its_end(desk: Desk) -> None:
    """Records and filed contracts were cleared away, the ledger was not."""
    desk.runner().execute(desk.contract())
    shutil.rmtree(desk.settings.reports)
    shutil.rmtree(desk.settings.inbox / "_done")
    path = desk.in_inbox(desk.contract("other").rename(desk.repo / "given" / "apply_hello.json"))
    claim = Queue(inbox=desk.settings.inbox, reports=desk.settings.reports).claim(path)
    assert claim is not None
    claim.close()

    (observed,) = resume(desk)

    assert (observed.contract_id, observed.state) == ("other", "noop")
