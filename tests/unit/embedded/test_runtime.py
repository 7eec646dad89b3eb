"""The work queue and the manager that runs controllers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest

from infra.embedded.clock import Clock
from infra.embedded.controllers.runtime.controller import (
    Key,
    ReconcileError,
    Watch,
    itself,
    key_of,
    label,
    owner,
)
from infra.embedded.controllers.runtime.manager import Manager
from infra.embedded.controllers.runtime.queue import LONGEST_DELAY, WorkQueue
from infra.embedded.errors import Conflict
from infra.embedded.kinds import CONFIGMAP, DEPLOYMENT
from infra.embedded.store import Obj, Store
from tests.support.virtual_time import run_virtually, virtual_clock


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(1000):
            await story()

    run_virtually(bounded)


def test_a_key_waits_only_once_and_in_order() -> None:
    async def story() -> None:
        queue: WorkQueue[str] = WorkQueue(Clock())
        for key in ("a", "b", "a", "c", "b"):
            queue.add(key)
        assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]
        assert len(queue) == 0

    run(story)


def test_a_key_that_is_being_worked_on_can_be_queued_again() -> None:
    async def story() -> None:
        queue: WorkQueue[str] = WorkQueue(Clock())
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        assert await queue.get() == "a"

    run(story)


def test_of_several_delays_the_shortest_counts_once() -> None:
    async def story() -> None:
        clock = virtual_clock()
        queue: WorkQueue[str] = WorkQueue(clock)
        queue.add_after("a", 100)
        queue.add_after("a", 10)
        queue.add_after("b", 50)
        start = clock.monotonic()
        assert await queue.get() == "a"
        assert clock.monotonic() - start == pytest.approx(10)
        assert await queue.get() == "b"
        queue.add_after("c", 200)
        assert await queue.get() == "c"

    run(story)


def test_failures_come_back_later_and_later() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    assert [queue.retry("a", 1.0) for _ in range(5)] == [1, 2, 4, 8, 16]
    queue.forget("a")
    assert queue.retry("a", 1.0) == 1
    assert max(queue.retry("b", 5.0) for _ in range(20)) == LONGEST_DELAY


def test_waiting_for_a_key_can_be_cancelled() -> None:
    async def story() -> None:
        queue: WorkQueue[str] = WorkQueue(Clock())
        queue.add_after("a", 1000)
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(story)


class Probe:
    """A controller that notes its keys and does what it is told."""

    name = "probe"

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.answers: dict[str, list[Exception | float | None]] = {}

    def watches(self) -> Iterable[Watch]:
        return (Watch(CONFIGMAP, itself),)

    def reconcile(self, key: Key) -> float | None:
        self.seen.append(key.name)
        answers = self.answers.get(key.name)
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


def config(name: str) -> Obj:
    return {"metadata": {"name": name, "namespace": "default"}}


async def played(probe: Probe, *names: str, until: int) -> Manager:
    """Run the probe until it has been called so many times."""
    clock = virtual_clock()
    store = Store(clock)
    manager = Manager(store, clock)
    manager.register([probe])
    store.create(CONFIGMAP, config("before"))
    running = asyncio.create_task(manager.run())
    for name in names:
        store.create(CONFIGMAP, config(name))
    while len(probe.seen) < until:
        await clock.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return manager


def test_a_controller_sees_what_is_there_and_what_comes() -> None:
    async def story() -> None:
        probe = Probe()
        await played(probe, "a", "b", until=3)
        assert probe.seen == ["before", "a", "b"]

    run(story)


@pytest.mark.parametrize(
    "failure",
    [ReconcileError("later"), Conflict(CONFIGMAP, "a"), KeyError("a bug"), 0.01],
    ids=["error", "conflict", "bug", "asked for"],
)
def test_a_key_is_tried_again(failure: Exception | float) -> None:
    async def story() -> None:
        probe = Probe()
        probe.answers["a"] = [failure]
        await played(probe, "a", until=3)
        assert probe.seen == ["before", "a", "a"]

    run(story)


def test_a_bug_with_one_key_does_not_stop_the_others() -> None:
    async def story() -> None:
        probe = Probe()
        probe.answers["a"] = [KeyError("a bug")] * 100
        await played(probe, "a", "b", until=3)
        assert "b" in probe.seen

    run(story)


def obj(**meta: object) -> Obj:
    return {"metadata": {"name": "a", "namespace": "n", **meta}}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (obj(), []),
        (obj(labels={"of": "b"}), [Key("n", "b")]),
        (obj(labels={"of": ""}), []),
    ],
)
def test_keys_by_label(found: Obj, expected: list[Key]) -> None:
    assert list(label("of")(found)) == expected


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ({"apiVersion": "apps/v1", "kind": "Deployment", "controller": True}, [Key("n", "d")]),
        ({"apiVersion": "apps/v1", "kind": "Deployment"}, []),
        ({"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": True}, []),
        ({"apiVersion": "other/v1", "kind": "Deployment", "controller": True}, []),
    ],
)
def test_keys_by_owner(ref: dict[str, object], expected: list[Key]) -> None:
    found = obj(ownerReferences=[{"name": "d", "uid": "u", **ref}])
    assert list(owner(DEPLOYMENT)(found)) == expected


def test_cluster_scoped_objects_have_keys_too() -> None:
    assert key_of({"metadata": {"name": "a"}}) == Key("", "a")
