"""The inbox as a queue: claims, names, and what a killed runner leaves."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from harness.core.errors import EnvironmentProblem
from harness.runner.lock import Busy, cluster_lock, try_lock
from harness.runner.queue import Claim, Queue, reserve
from harness.runner.states import Event, State
from harness.timing.clock import SystemClock


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    (tmp_path / "inbox").mkdir()
    return Queue(inbox=tmp_path / "inbox", reports=tmp_path / "reports")


def claimed(queue: Queue, path: Path) -> Claim:
    claim = queue.claim(path)
    assert claim is not None
    return claim


def test_contracts_wait_in_the_order_of_their_names(queue: Queue, tmp_path: Path) -> None:
    for name in ("b.json", "a.json", ".hidden.json", "c.txt", "d.json.tmp"):
        (tmp_path / "inbox" / name).write_text("{}")
    (tmp_path / "inbox" / "folder.json").mkdir()
    assert [path.name for path in queue.pending()] == ["a.json", "b.json"]


def test_an_inbox_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert Queue(inbox=tmp_path / "none", reports=tmp_path).pending() == []


def test_submitting_never_overwrites(queue: Queue) -> None:
    paths = [queue.submit("x", content) for content in (b"1", b"2", b"3")]
    assert [path.name for path in paths] == ["x.json", "x-2.json", "x-3.json"]
    assert [path.read_bytes() for path in paths] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "", "x" * 500, "a\nb", "käse"])
def test_names_stay_inside_the_inbox(queue: Queue, tmp_path: Path, name: str) -> None:
    assert queue.submit(name, b"{}").parent == tmp_path / "inbox"


def test_a_claim_is_one_runner_s_alone(queue: Queue) -> None:
    path = queue.submit("x", b"{}")
    claim = claimed(queue, path)

    assert (claim.state, claim.path.parent.name) == (State.CLAIMED, "_running")
    assert queue.claim(path) is None
    assert list(queue.orphans()) == []
    claim.close()


def test_a_claim_that_is_dropped_is_an_orphan(queue: Queue) -> None:
    claimed(queue, queue.submit("x", b"{}")).close()
    (orphan,) = queue.orphans()
    assert (orphan.run_id, orphan.resumed, orphan.state) == ("x", True, State.CLAIMED)
    assert orphan.read(10) == b"{}"
    orphan.close()


def test_a_released_claim_waits_again_under_its_name(queue: Queue) -> None:
    path = queue.submit("x", b"{}")
    claim = claimed(queue, path)
    queue.advance(claim, Event.RELEASE)
    claim.close()
    assert queue.pending() == [path]


@pytest.mark.parametrize(
    ("event", "folder"),
    [
        (Event.SUCCEED, "_done"),
        (Event.CHANGE_NOTHING, "_done"),
        (Event.FAIL, "_failed"),
        (Event.MISMATCH, "_failed"),
        (Event.REFUSE, "_refused"),
    ],
)
def test_where_contracts_end(queue: Queue, tmp_path: Path, event: Event, folder: str) -> None:
    claim = claimed(queue, queue.submit("x", b"content"))
    queue.advance(claim, Event.START)
    queue.advance(claim, event)
    claim.close()
    assert (tmp_path / "inbox" / folder / "x.json").read_bytes() == b"content"


def test_files_of_one_name_never_overwrite_each_other(queue: Queue, tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        claim = claimed(queue, queue.submit("x", content))
        queue.advance(claim, Event.REFUSE)
        claim.close()
    filed = sorted((tmp_path / "inbox" / "_refused").iterdir())
    assert sorted(path.read_bytes() for path in filed) == [b"1", b"2", b"3"]


def test_what_is_read_is_what_was_claimed(queue: Queue, tmp_path: Path) -> None:
    claim = claimed(queue, queue.submit("x", b"claimed"))
    claim.path.unlink()
    claim.path.write_bytes(b"swapped")
    assert claim.read(100) == b"claimed"
    claim.close()


def test_a_free_name_is_one_that_nothing_has_had(queue: Queue, tmp_path: Path) -> None:
    queue.submit("x", b"{}")
    (tmp_path / "inbox" / "_done").mkdir()
    (tmp_path / "inbox" / "_done" / "x-2.json").write_text("{}")
    reserve(tmp_path / "reports", "x-3")
    assert queue.free_name("x") == "x-4"
    assert queue.free_name("y") == "y"


@pytest.mark.parametrize("target", ["/etc/passwd", "nowhere"])
def test_a_link_is_refused_without_being_opened(queue: Queue, tmp_path: Path, target: str) -> None:
    path = tmp_path / "inbox" / "x.json"
    path.symlink_to(target)
    claim = claimed(queue, path)
    assert (claim.state, claim.descriptor, claim.read(10)) == (State.REFUSED, None, b"")
    assert claim.path == tmp_path / "inbox" / "_refused" / "x.json"
    assert queue.claim(path) is None
    assert list(queue.orphans()) == []


def test_many_threads_claim_each_contract_once(queue: Queue) -> None:
    paths = [queue.submit(f"c{number}", b"{}") for number in range(40)]
    claims: list[Claim] = []

    def work() -> None:
        claims.extend(claim for path in paths if (claim := queue.claim(path)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(claim.name for claim in claims) == sorted(path.name for path in paths)
    for claim in claims:
        claim.close()


def test_a_lock_is_had_by_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    clock = SystemClock()
    with cluster_lock(path, timeout=1, clock=clock):
        with (
            pytest.raises(Busy, match=r"more than 0\.1 s"),
            cluster_lock(path, timeout=0.1, clock=clock),
        ):
            pytest.fail("two have it")
        assert issubclass(Busy, EnvironmentProblem)
    with cluster_lock(path, timeout=1, clock=clock):
        assert path.exists()


def test_a_lock_is_shared_only_while_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with cluster_lock(path, timeout=1, clock=SystemClock()) as lock:
        inherited = []
        with lock.shared_with_children():
            inherited.append(_inheritable(path))
        inherited.append(_inheritable(path))
    assert inherited == [True, False]


def test_a_lock_is_free_after_its_holder_closed_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    first, second = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    assert try_lock(first)
    assert not try_lock(second)
    os.close(first)
    assert try_lock(second)
    os.close(second)


def _inheritable(path: Path) -> bool:
    ours = [link for link in Path("/proc/self/fd").iterdir() if _target(link) == str(path)]
    return [os.get_inheritable(int(link.name)) for link in ours] == [True]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def test_a_link_in_the_running_folder_is_left_alone(queue: Queue, tmp_path: Path) -> None:
    folder = tmp_path / "inbox" / "_running"
    folder.mkdir()
    (folder / "x.json").symlink_to("/etc/passwd")
    assert list(queue.orphans()) == []


def test_run_folders_are_reserved_once(tmp_path: Path) -> None:
    names = [reserve(tmp_path / "reports", "x") for _ in range(3)]
    assert names == ["x", "x-2", "x-3"]
    assert reserve(tmp_path / "reports", "../../x") == "x-4"


def test_a_contract_left_behind_is_not_overwritten_when_its_record_is_gone(
    queue: Queue, tmp_path: Path
) -> None:
    claimed(queue, queue.submit("x", b"first")).close()
    shutil.rmtree(tmp_path / "reports")
    second = claimed(queue, queue.submit("x", b"second"))
    assert second.run_id == "x-2"
    assert (tmp_path / "inbox" / "_running" / "x.json").read_bytes() == b"first"
    second.close()


@pytest.mark.parametrize("name", [b"x.json", b"a\nb.json", b"\xff.json"])
def test_an_orphan_still_has_its_name(queue: Queue, tmp_path: Path, name: bytes) -> None:
    for _ in range(2):
        path = tmp_path / "inbox" / os.fsdecode(name)
        path.write_bytes(b"{}")
        claim = claimed(queue, path)
        claim.close()
    orphan = queue.orphan(claim.run_id)
    assert orphan is not None
    assert orphan.name == os.fsdecode(name)
    queue.advance(orphan, Event.RELEASE)
    orphan.close()
    assert queue.pending() == [path]
