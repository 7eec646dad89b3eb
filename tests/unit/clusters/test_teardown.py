"""When a deletion is refused: a pure policy, and what it is told about the cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UsageError
from infra.clusters.errors import DeletionRefused
from infra.clusters.owner import OWNER_LABEL
from infra.clusters.resources import DEPLOYMENT, JOB, KSERVICE, NAMESPACE, POD
from infra.clusters.state import CreatedCluster
from infra.clusters.teardown import (
    Living,
    look,
    objections,
    refuse_unless_safe,
    standing_targets,
)
from tests.support.fake_kube import FakeKube, named, namespace

RECORD = CreatedCluster(
    provider="kind",
    name="vpm-mini",
    context="kind-vpm-mini",
    kubeconfig="/somewhere",
    uid="uid-1",
    owner="owner-1",
    created_at="2026-01-02T03:04:05+00:00",
)
EMPTY = Living(uid="uid-1", owner="owner-1", standing=(), foreign=())
BUSY = replace(EMPTY, standing=("default/hello",), foreign=("Pod shop/front",))


@pytest.mark.parametrize(
    ("living", "confirm", "expected"),
    [
        (EMPTY, None, ()),
        (EMPTY, "uid-1", ()),
        (EMPTY, "uid-9", ("--confirm uid-9 is not its UID uid-1",)),
        (BUSY, None, ("foreign: Pod shop/front", "standing target: default/hello")),
        (BUSY, "uid-1", ()),
        (
            BUSY,
            "uid-9",
            (
                "--confirm uid-9 is not its UID uid-1",
                "foreign: Pod shop/front",
                "standing target: default/hello",
            ),
        ),
        (replace(EMPTY, uid="uid-2"), None, ("its UID is uid-2, and the harness created uid-1",)),
        (replace(EMPTY, owner=""), None, (f"its label {OWNER_LABEL} is missing, not owner-1",)),
    ],
)
def test_objections(living: Living, confirm: str | None, expected: tuple[str, ...]) -> None:
    assert objections(record=RECORD, living=living, confirm=confirm) == expected


def test_standing_targets_do_not_stop_the_run_that_brought_them() -> None:
    found = objections(record=RECORD, living=BUSY, confirm=None, made_by_this_run=True)
    assert found == ("foreign: Pod shop/front",)


names = st.text("ab", max_size=3)


@given(
    living=st.builds(
        Living,
        uid=names,
        owner=names,
        standing=st.lists(names).map(tuple),
        foreign=st.lists(names).map(tuple),
    ),
    record=st.builds(lambda uid, owner: replace(RECORD, uid=uid, owner=owner), names, names),
    confirm=st.none() | names,
    own=st.booleans(),
)
def test_nothing_confirms_another_cluster_away(
    living: Living, record: CreatedCluster, confirm: str | None, own: bool
) -> None:
    found = objections(record=record, living=living, confirm=confirm, made_by_this_run=own)
    if (living.uid, living.owner) != (record.uid, record.owner):
        assert found
    if not found and confirm != living.uid:
        assert not living.foreign
        assert own or not living.standing


def kube(*objects: object) -> FakeKube:
    cluster = FakeKube(namespace("default"), namespace("kube-system", **{OWNER_LABEL: "owner-1"}))
    for kind, obj in objects:  # type: ignore[misc]
        cluster.put(kind, obj)
    cluster.objects["", "namespaces", "", "kube-system"]["metadata"]["uid"] = "uid-1"
    return cluster


def test_look_lists_what_would_be_lost() -> None:
    part = {"app.kubernetes.io/part-of": "vpm"}
    owned = named(POD, "default", "of-a-job")
    owned[1]["metadata"]["ownerReferences"] = [{"kind": "Job"}]
    living = look(
        kube(
            namespace("shop"),
            namespace("ours", **{OWNER_LABEL: "run-1"}),
            named(KSERVICE, "default", "hello", labels=part),
            named(KSERVICE, "default", "not-ours"),
            named(DEPLOYMENT, "kube-system", "coredns"),
            named(JOB, "default", "probe", labels={"app.kubernetes.io/managed-by": "vpm-harness"}),
            owned,
        ),
        ["default/hello", "default/metrics-echo"],
    )
    assert living.standing == ("default/hello",)
    assert living.foreign == ("Namespace shop", "Service default/not-ours")


def test_a_refusal_says_what_is_there_and_what_would_confirm_it() -> None:
    cluster = kube(named(DEPLOYMENT, "default", "other"))
    with pytest.raises(DeletionRefused, match="foreign: Deployment default/other") as caught:
        refuse_unless_safe(cluster, RECORD, confirm=None, targets=())
    assert "--confirm uid-1" in (caught.value.mend or "")
    refuse_unless_safe(cluster, RECORD, confirm="uid-1", targets=())


def test_another_cluster_behind_the_same_context_offers_no_confirmation() -> None:
    cluster = kube()
    cluster.objects["", NAMESPACE.plural, "", "kube-system"]["metadata"]["uid"] = "uid-2"
    with pytest.raises(DeletionRefused) as caught:
        refuse_unless_safe(cluster, RECORD, confirm="uid-2", targets=())
    assert "not the cluster that the harness created" in (caught.value.mend or "")


def test_the_shipped_targets_are_the_services_of_the_overlay() -> None:
    assert standing_targets() == ("default/hello", "default/metrics-echo")


@pytest.mark.parametrize("text", ["", "targets: 3", "targets: [{name: only}]", "a: [b"])
def test_a_file_without_targets_is_a_usage_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "targets.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match="does not list standing targets"):
        standing_targets(file)
