"""Namespaces of a scenario: only what a run made, and can still recognise, is removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.errors import ClusterError, UsageError
from harness.core.plan import make_plan
from infra.clusters.namespaces import Namespaces
from infra.clusters.owner import OWNER_LABEL
from infra.clusters.resources import NAMESPACE, label_of
from tests.support.fake_kube import FakeKube, namespace
from tests.support.fakes import FakeClock


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(namespace("kube-system"))


@pytest.fixture
def namespaces(kube: FakeKube, tmp_path: Path) -> Namespaces:
    return Namespaces(kube, FakeClock(), home=tmp_path)


def there(kube: FakeKube) -> list[str]:
    return [item["metadata"]["name"] for item in kube.list(NAMESPACE)]


def test_what_is_missing_is_made_with_a_label_and_removed(
    kube: FakeKube, namespaces: Namespaces, tmp_path: Path
) -> None:
    with namespaces.provided(("shop", "till"), keep="never"):
        assert there(kube) == ["kube-system", "shop", "till"]
        assert label_of(kube.get(NAMESPACE, "", "shop"), OWNER_LABEL)
    assert there(kube) == ["kube-system"]
    assert not list(tmp_path.rglob("namespace.json"))


def test_what_was_there_is_used_and_stays(kube: FakeKube, namespaces: Namespaces) -> None:
    kube.put(*namespace("shop", **{OWNER_LABEL: "somebody"}))
    with namespaces.provided(("shop",), keep="never"):
        pass
    assert there(kube) == ["kube-system", "shop"]
    assert kube.calls == []


@pytest.mark.parametrize(
    ("keep", "fails", "stays"),
    [
        ("never", True, False),
        ("on-failure", True, True),
        ("on-failure", False, False),
        ("always", False, True),
    ],
)
def test_what_is_kept(
    kube: FakeKube, namespaces: Namespaces, keep: str, fails: bool, stays: bool
) -> None:
    def run() -> None:
        with namespaces.provided(("shop",), keep=keep):
            if fails:
                raise UsageError("the run failed")

    if fails:
        with pytest.raises(UsageError):
            run()
    else:
        run()
    assert ("shop" in there(kube)) == stays


def test_what_a_killed_run_left_is_taken_over_and_removed(
    kube: FakeKube, namespaces: Namespaces
) -> None:
    with namespaces.provided(("shop",), keep="always"):
        pass
    with namespaces.provided(("shop",), keep="never"):
        assert "shop" in there(kube)
    assert "shop" not in there(kube)


def test_two_runs_share_it_and_the_one_that_made_it_removes_it(
    kube: FakeKube, namespaces: Namespaces
) -> None:
    with namespaces.provided(("shop",), keep="never"):
        with namespaces.provided(("shop",), keep="never"):
            pass
        assert "shop" in there(kube)
    assert "shop" not in there(kube)


def _relabel(kube: FakeKube) -> None:
    kube.put(*namespace("shop", **{OWNER_LABEL: "somebody"}))


def _unlabel(kube: FakeKube) -> None:
    kube.patch(NAMESPACE, "", "shop", {"metadata": {"labels": {OWNER_LABEL: None}}})


def _replace(kube: FakeKube) -> None:
    owner = label_of(kube.get(NAMESPACE, "", "shop"), OWNER_LABEL)
    kube.put(*namespace("shop", **{OWNER_LABEL: owner}))  # A new UID, the same label.


@pytest.mark.parametrize("change", [_relabel, _unlabel, _replace])
def test_one_that_is_not_the_same_any_more_stays(
    kube: FakeKube, namespaces: Namespaces, change: Callable[[FakeKube], None]
) -> None:
    with (
        pytest.raises(ClusterError, match="namespace shop is not removed") as caught,
        namespaces.provided(("shop",), keep="never"),
    ):
        change(kube)
    assert "shop" in there(kube)
    assert "kubectl delete namespace shop" in (caught.value.mend or "")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "shop", "uid": "forged", "owner": ""}'])
def test_a_forged_record_removes_nothing(
    kube: FakeKube, namespaces: Namespaces, tmp_path: Path, text: str
) -> None:
    kube.put(*namespace("shop"))
    uid = kube.objects["", "namespaces", "", "kube-system"]["metadata"]["uid"]
    record = tmp_path / "namespaces" / uid / "shop" / "namespace.json"
    record.parent.mkdir(parents=True)
    record.write_text(text)
    with namespaces.provided(("shop",), keep="never"):
        pass
    assert "shop" in there(kube)


def test_what_is_written_down_is_what_the_cluster_has(
    kube: FakeKube, namespaces: Namespaces, tmp_path: Path
) -> None:
    with namespaces.provided(("shop",), keep="never"):
        (record,) = tmp_path.rglob("namespace.json")
        living = kube.get(NAMESPACE, "", "shop")
        assert living is not None
        assert json.loads(record.read_text()) == {
            "name": "shop",
            "uid": living["metadata"]["uid"],
            "owner": label_of(living, OWNER_LABEL),
        }


@pytest.mark.parametrize("name", ["default", "kube-system", "knative-serving", "kourier-system"])
def test_a_scenario_cannot_claim_a_systems_namespace(name: str) -> None:
    text = (
        f"apiVersion: vpm.dev/v1\nkind: Scenario\nname: x\ncluster: {{namespaces: [{name}]}}\n"
        "services: {a: {manifest: a.yaml}}\nsteps: [{name: r, ready: {service: a}}]\n"
    )
    with pytest.raises(UsageError, match="is no scenario's own"):
        make_plan(text, "x.yaml")
