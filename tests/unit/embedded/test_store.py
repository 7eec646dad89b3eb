"""The store: versions, conflicts, deletion, watches, durability."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.changes import HISTORY
from infra.embedded.clock import Clock
from infra.embedded.errors import AlreadyExists, Conflict, Expired, NotFound
from infra.embedded.kinds import CONFIGMAP, DEPLOYMENT, KSERVICE, NAMESPACE, POD, SECRET, Kind
from infra.embedded.storage import Storage
from infra.embedded.store import Obj, Store, generate_name


def obj(name: str, **more: Any) -> Obj:
    meta = {"name": name, "namespace": "default", **more.pop("metadata", {})}
    return {"metadata": meta, **more}


def owned_by(*owners: Obj) -> dict[str, Any]:
    references = [
        {"uid": o["metadata"]["uid"], "name": o["metadata"]["name"], "kind": "X"} for o in owners
    ]
    return {"ownerReferences": references}


@pytest.fixture
def store() -> Store:
    return Store(Clock())


class TestWriting:
    def test_create_fills_what_the_server_knows(self, store: Store) -> None:
        created = store.create(DEPLOYMENT, obj("a", spec={"replicas": 1}))
        meta = created["metadata"]
        assert created["apiVersion"] == "apps/v1"
        assert created["kind"] == "Deployment"
        assert meta["generation"] == 1
        assert meta["resourceVersion"] == "1"
        assert len(meta["uid"]) == 36
        assert meta["creationTimestamp"].endswith("Z")

    def test_create_twice_is_refused(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a"))
        with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
            store.create(CONFIGMAP, obj("a"))

    def test_the_caller_keeps_its_object(self, store: Store) -> None:
        mine = obj("a", data={"k": "v"})
        store.create(CONFIGMAP, mine)
        mine["data"]["k"] = "changed"
        assert store.get(CONFIGMAP, "default", "a")["data"] == {"k": "v"}

    def test_generated_names_use_kubernetes_alphabet(self) -> None:
        name = generate_name("web-")
        assert len(name) == len("web-") + 5
        assert not set(name.removeprefix("web-")) & set("aeiou01")

    @pytest.mark.parametrize(
        ("kind", "change", "generation"),
        [
            (DEPLOYMENT, {"spec": {"replicas": 2}}, 2),
            (DEPLOYMENT, {"metadata": {"labels": {"a": "b"}}}, 1),
            (KSERVICE, {"spec": {"x": 1}}, 2),
            (CONFIGMAP, {"data": {"a": "b"}}, None),
        ],
        ids=["spec", "labels", "custom", "no generation"],
    )
    def test_generation_counts_changes_of_the_spec(
        self, store: Store, kind: Kind, change: Obj, generation: int | None
    ) -> None:
        created = store.copy(store.create(kind, obj("a", spec={"replicas": 1})))
        created["metadata"].update(change.pop("metadata", {}))
        updated = store.update(kind, {**created, **change})
        assert updated["metadata"].get("generation") == generation

    def test_an_equal_update_writes_nothing(self, store: Store) -> None:
        created = store.create(DEPLOYMENT, obj("a", spec={}))
        assert store.update(DEPLOYMENT, store.copy(created)) is created
        assert store.revision == 1

    def test_update_leaves_the_status_and_update_status_the_spec(self, store: Store) -> None:
        created = store.create(DEPLOYMENT, obj("a", spec={"replicas": 1}))
        store.update_status(DEPLOYMENT, {**created, "spec": {}, "status": {"replicas": 1}})
        mine = store.copy(store.get(DEPLOYMENT, "default", "a"))
        mine["spec"], mine["status"] = {"replicas": 3}, {"replicas": 9}
        after = store.update(DEPLOYMENT, mine)
        assert (after["spec"], after["status"]) == ({"replicas": 3}, {"replicas": 1})

    def test_an_old_version_conflicts(self, store: Store) -> None:
        old = store.create(CONFIGMAP, obj("a"))
        store.update(CONFIGMAP, {**old, "data": {"a": "1"}})
        with pytest.raises(Conflict, match="please apply your changes to the latest version"):
            store.update(CONFIGMAP, {**old, "data": {"a": "2"}})

    def test_another_uid_conflicts(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a"))
        with pytest.raises(Conflict, match="UID in precondition"):
            store.update(CONFIGMAP, obj("a", metadata={"uid": "other"}))

    def test_dry_run_shows_the_result_and_keeps_nothing(self, store: Store) -> None:
        shown = store.create(CONFIGMAP, obj("a"), dry_run=True)
        assert shown["metadata"]["uid"]
        assert "resourceVersion" not in shown["metadata"]
        assert store.find(CONFIGMAP, "default", "a") is None
        created = store.create(DEPLOYMENT, obj("b", spec={}))
        shown = store.update(DEPLOYMENT, {**created, "spec": {"replicas": 5}}, dry_run=True)
        assert shown["metadata"]["generation"] == 2
        assert store.get(DEPLOYMENT, "default", "b") is created

    def test_list_selects_by_namespace_and_labels(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a", metadata={"labels": {"x": "1"}}))
        store.create(CONFIGMAP, obj("b", metadata={"labels": {"x": "2"}}))
        store.create(CONFIGMAP, obj("c", metadata={"namespace": "other", "labels": {"x": "1"}}))
        names = [o["metadata"]["name"] for o in store.list(CONFIGMAP, "default", {"x": "1"})]
        assert names == ["a"]
        assert len(store.list(CONFIGMAP)) == 3


class TestDeletion:
    def test_what_nothing_holds_is_gone_at_once(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a"))
        store.delete(CONFIGMAP, "default", "a")
        with pytest.raises(NotFound, match='configmaps "a" not found'):
            store.get(CONFIGMAP, "default", "a")

    def test_finalizers_hold_an_object_until_the_last_is_gone(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a", metadata={"finalizers": ["x", "y"]}))
        marked = store.delete(CONFIGMAP, "default", "a")
        assert "deletionTimestamp" in marked["metadata"]
        for left in (["y"], []):
            current = store.copy(store.get(CONFIGMAP, "default", "a"))
            current["metadata"]["finalizers"] = left
            store.update(CONFIGMAP, current)
        assert store.find(CONFIGMAP, "default", "a") is None

    def test_the_deletion_of_an_object_cannot_be_undone(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a", metadata={"finalizers": ["x"]}))
        marked = store.copy(store.delete(CONFIGMAP, "default", "a"))
        del marked["metadata"]["deletionTimestamp"]
        marked["data"] = {"a": "b"}
        assert "deletionTimestamp" in store.update(CONFIGMAP, marked)["metadata"]

    @pytest.mark.parametrize(
        ("spec", "status", "grace", "remains"),
        [
            ({"nodeName": "n"}, {}, None, 30),
            ({"nodeName": "n", "terminationGracePeriodSeconds": 7}, {}, None, 7),
            ({"nodeName": "n"}, {}, 3, 3),
            ({"nodeName": "n"}, {}, 0, None),
            ({}, {}, None, None),
            ({"nodeName": "n"}, {"phase": "Succeeded"}, None, None),
        ],
        ids=["default", "own", "asked", "forced", "not bound", "ended"],
    )
    def test_a_bound_pod_gets_its_grace(
        self, store: Store, spec: Obj, status: Obj, grace: int | None, remains: int | None
    ) -> None:
        store.create(POD, obj("p", spec=spec, status=status))
        last = store.delete(POD, "default", "p", grace=grace)
        kept = store.find(POD, "default", "p")
        assert (kept is not None) == (remains is not None)
        assert last["metadata"].get("deletionGracePeriodSeconds") == remains

    @pytest.mark.parametrize("field", ["uid", "resourceVersion"])
    def test_preconditions(self, store: Store, field: str) -> None:
        store.create(CONFIGMAP, obj("a"))
        with pytest.raises(Conflict, match="Precondition failed"):
            store.delete(CONFIGMAP, "default", "a", preconditions={field: "other"})
        right = store.get(CONFIGMAP, "default", "a")["metadata"][field]
        store.delete(CONFIGMAP, "default", "a", preconditions={field: right})

    def test_background_takes_the_dependents_along(self, store: Store) -> None:
        owner = store.create(CONFIGMAP, obj("owner"))
        child = store.create(SECRET, obj("child", metadata=owned_by(owner)))
        store.create(SECRET, obj("grandchild", metadata=owned_by(child)))
        store.delete(CONFIGMAP, "default", "owner")
        assert store.list(SECRET) == []

    def test_another_owner_keeps_a_dependent(self, store: Store) -> None:
        owners = [store.create(CONFIGMAP, obj(name)) for name in ("one", "two")]
        store.create(SECRET, obj("child", metadata=owned_by(*owners)))
        store.delete(CONFIGMAP, "default", "one")
        left = store.get(SECRET, "default", "child")["metadata"]["ownerReferences"]
        assert [reference["name"] for reference in left] == ["two"]

    def test_orphan_leaves_the_dependents(self, store: Store) -> None:
        owner = store.create(CONFIGMAP, obj("owner"))
        store.create(SECRET, obj("child", metadata=owned_by(owner)))
        store.delete(CONFIGMAP, "default", "owner", propagation="Orphan")
        assert store.find(CONFIGMAP, "default", "owner") is None
        assert "ownerReferences" not in store.get(SECRET, "default", "child")["metadata"]

    def test_foreground_waits_for_the_dependents(self, store: Store) -> None:
        owner = store.create(CONFIGMAP, obj("owner"))
        held = owned_by(owner) | {"finalizers": ["x"]}
        store.create(SECRET, obj("child", metadata=held))
        store.delete(CONFIGMAP, "default", "owner", propagation="Foreground")
        waiting = store.get(CONFIGMAP, "default", "owner")["metadata"]
        assert waiting["finalizers"] == ["foregroundDeletion"]
        child = store.copy(store.get(SECRET, "default", "child"))
        child["metadata"]["finalizers"] = []
        store.update(SECRET, child)
        assert store.find(CONFIGMAP, "default", "owner") is None

    def test_a_dependent_of_nobody_is_garbage(self, store: Store) -> None:
        owner = store.create(CONFIGMAP, obj("owner"))
        store.delete(CONFIGMAP, "default", "owner")
        store.create(SECRET, obj("late", metadata=owned_by(owner)))
        assert store.find(SECRET, "default", "late") is None

    def test_a_namespace_is_held_by_its_own_finalizer(self, store: Store) -> None:
        store.create(NAMESPACE, {"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}})
        store.delete(NAMESPACE, "", "n")
        assert store.get(NAMESPACE, "", "n")["status"]["phase"] == "Terminating"
        stored = store.stored(NAMESPACE, "", "n")
        store.replace(stored, {**stored.obj, "spec": {"finalizers": []}})
        assert store.find(NAMESPACE, "", "n") is None


class TestWatching:
    def test_a_subscription_begins_with_what_is_there(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a"))

        async def scenario() -> list[tuple[str, str]]:
            subscription = store.watch(CONFIGMAP)
            store.update(CONFIGMAP, obj("a", data={"x": "1"}))
            store.create(SECRET, obj("other"))
            store.delete(CONFIGMAP, "default", "a")
            subscription.close()
            return [(e.type, e.obj["metadata"]["name"]) async for e in subscription]

        seen = asyncio.run(scenario())
        assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]

    def test_an_event_knows_the_object_before(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a", data={"x": "1"}))
        store.update(CONFIGMAP, obj("a", data={"x": "2"}))
        event = store.changes.since(CONFIGMAP, 1)[0]
        assert event.old is not None
        assert (event.old["data"], event.obj["data"]) == ({"x": "1"}, {"x": "2"})

    def test_a_deletion_carries_a_revision_of_its_own(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a"))
        store.delete(CONFIGMAP, "default", "a")
        last = store.changes.since(CONFIGMAP, 1)[-1]
        assert (last.type, last.obj["metadata"]["resourceVersion"]) == ("DELETED", "2")

    def test_the_history_forgets(self, store: Store) -> None:
        store.create(CONFIGMAP, obj("a"))
        for number in range(HISTORY + 1):
            store.update(CONFIGMAP, obj("a", data={"n": str(number)}))
        with pytest.raises(Expired, match="too old resource version: 1 "):
            store.changes.since(CONFIGMAP, 1)
        assert len(store.changes.since(CONFIGMAP, store.revision - 3)) == 3


class TestDurability:
    def test_objects_and_revisions_survive(self, tmp_path: Path) -> None:
        first = Store(Clock(), Storage(tmp_path / "state.db"))
        first.create(CONFIGMAP, obj("a", data={"x": "1"}))
        first.create(CONFIGMAP, obj("b"))
        first.delete(CONFIGMAP, "default", "b")
        again = Store(Clock(), Storage(tmp_path / "state.db"))  # the first was never closed
        assert again.get(CONFIGMAP, "default", "a") == first.get(CONFIGMAP, "default", "a")
        assert again.find(CONFIGMAP, "default", "b") is None
        assert again.revision == first.revision == 3

    def test_a_watch_from_before_the_restart_is_expired(self, tmp_path: Path) -> None:
        first = Store(Clock(), Storage(tmp_path / "state.db"))
        first.create(CONFIGMAP, obj("a"))
        first.update(CONFIGMAP, obj("a", data={"x": "1"}))
        again = Store(Clock(), Storage(tmp_path / "state.db"))
        with pytest.raises(Expired):
            again.changes.since(CONFIGMAP, 1)

    def test_ownership_survives(self, tmp_path: Path) -> None:
        first = Store(Clock(), Storage(tmp_path / "state.db"))
        owner = first.create(CONFIGMAP, obj("owner"))
        first.create(SECRET, obj("child", metadata=owned_by(owner)))
        again = Store(Clock(), Storage(tmp_path / "state.db"))
        again.delete(CONFIGMAP, "default", "owner")
        assert again.list(SECRET) == []
