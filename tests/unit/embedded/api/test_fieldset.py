"""Sets of fields, and server-side apply on top of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.api import fieldset
from infra.embedded.api.apply import apply
from infra.embedded.api.managed import Manager, parse, render
from infra.embedded.api.shapes import Shape, of_kind
from infra.embedded.errors import StatusError
from infra.embedded.kinds import DEPLOYMENT, KSERVICE

ME = Manager("me", "Apply", "v1")
OTHER = Manager("other", "Update", "v1")
NOW = "2026-01-01T00:00:00Z"
STEPS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
PATHS = st.frozensets(st.lists(STEPS, min_size=1, max_size=4).map(tuple), max_size=8)


@given(PATHS)
def test_fields_are_a_faithful_picture_of_paths(paths: frozenset[tuple[str, ...]]) -> None:
    assert fieldset.from_fields(fieldset.to_fields(paths)) >= paths


def test_a_structure_that_is_owned_itself_has_a_dot() -> None:
    assert fieldset.to_fields([("f:a",), ("f:a", "f:b")]) == {"f:a": {".": {}, "f:b": {}}}


def test_fields_of_a_service_as_recorded() -> None:
    """02-lifecycle/ready-ksvc-managedfields: what kubectl's client-side apply came to own."""
    obj = {
        "apiVersion": "serving.knative.dev/v1",
        "metadata": {"name": "hello", "annotations": {"last-applied": "x"}},
        "spec": {"template": {"spec": {"containers": [{"image": "i"}]}}},
    }
    paths = fieldset.values(of_kind(KSERVICE), obj, structures=True)
    assert fieldset.to_fields(paths) == {
        "f:metadata": {"f:annotations": {".": {}, "f:last-applied": {}}},
        "f:spec": {".": {}, "f:template": {".": {}, "f:spec": {".": {}, "f:containers": {}}}},
    }


def test_lists_with_keys_are_owned_by_item() -> None:
    spec = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]}
    obj = {"spec": {"template": {"spec": spec}}}
    paths = fieldset.values(of_kind(DEPLOYMENT), obj, structures=False)
    container = 'k:{"name":"c"}'
    port = 'k:{"containerPort":80,"protocol":"TCP"}'
    inner = fieldset.to_fields(paths)["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert inner == {
        container: {
            ".": {},
            "f:name": {},
            "f:image": {},
            "f:ports": {port: {".": {}, "f:containerPort": {}}},
        }
    }


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:c", 'k:{"name":"x"}', "f:image"), '.c[name="x"].image'),
        (("f:finalizers", 'v:"a"'), '.finalizers[="a"]'),
    ],
)
def test_paths_in_messages(path: tuple[str, ...], shown: str) -> None:
    assert fieldset.display(path) == shown


def applied(live: dict[str, Any] | None, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One apply by `me` with the shape of a Deployment; the record is kept in the object."""
    options = {"manager": ME, "force": False, "now": NOW, "shape": of_kind(DEPLOYMENT)} | more
    result = apply(live=live, config=config, **options)
    meta = {**result.obj.get("metadata", {}), "managedFields": result.managed}
    return {**result.obj, "metadata": meta}


def owned(live: dict[str, Any], manager: Manager, config: dict[str, Any]) -> dict[str, Any]:
    return applied(live, config, manager=manager, force=True)


def test_what_a_manager_no_longer_states_is_removed() -> None:
    first = applied(None, {"spec": {"replicas": 1, "paused": True}})
    second = applied(first, {"spec": {"replicas": 1}})
    assert second["spec"] == {"replicas": 1}


def test_what_another_also_owns_stays() -> None:
    first = applied(None, {"spec": {"replicas": 1, "paused": True}})
    both = owned(first, OTHER, {"spec": {"paused": True}})
    second = applied(both, {"spec": {"replicas": 1}})
    assert second["spec"] == {"replicas": 1, "paused": True}


def test_a_field_of_another_conflicts() -> None:
    live = owned({}, OTHER, {"spec": {"replicas": 1}})
    with pytest.raises(StatusError) as raised:
        applied(live, {"spec": {"replicas": 2}})
    assert raised.value.message == (
        'Apply failed with 1 conflict: conflict with "other" using v1: .spec.replicas'
    )
    assert (raised.value.code, raised.value.reason) == (409, "Conflict")
    assert raised.value.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "other" using v1',
                "field": ".spec.replicas",
            }
        ]
    }


def test_force_takes_the_field_over() -> None:
    live = owned({}, OTHER, {"spec": {"replicas": 1, "paused": True}})
    forced = applied(live, {"spec": {"replicas": 2}}, force=True)
    assert forced["spec"] == {"replicas": 2, "paused": True}
    owners = {manager.name: set(o.paths) for manager, o in parse(forced).items()}
    assert owners == {
        "me": {("f:spec", "f:replicas")},
        "other": {("f:spec", "f:paused")},
    }


def test_the_same_value_is_shared() -> None:
    live = owned({}, OTHER, {"spec": {"replicas": 1}})
    shared = applied(live, {"spec": {"replicas": 1}})
    assert {manager.name for manager in parse(shared)} == {"me", "other"}


def test_items_of_a_list_belong_to_different_managers() -> None:
    def containers(*items: dict[str, Any]) -> dict[str, Any]:
        return {"spec": {"template": {"spec": {"containers": list(items)}}}}

    first = applied(None, containers({"name": "a", "image": "1"}))
    both = owned(first, OTHER, containers({"name": "b", "image": "1"}))
    changed = applied(both, containers({"name": "a", "image": "2"}))
    assert (
        changed["spec"]
        == containers({"name": "a", "image": "2"}, {"name": "b", "image": "1"})["spec"]
    )
    gone = applied(changed, {"spec": {}})
    assert gone["spec"]["template"]["spec"]["containers"] == [{"name": "b", "image": "1"}]


def test_structures_owned_since_a_client_side_apply_are_kept() -> None:
    """kubectl's migration gives the applier the structures too; they are not values to remove."""
    record = {
        "manager": "me",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsV1": {"f:spec": {".": {}, "f:replicas": {}}},
        "time": NOW,
    }
    live = {"metadata": {"managedFields": [record]}, "spec": {"replicas": 1}}
    assert applied(live, {"spec": {"replicas": 1}})["spec"] == {"replicas": 1}


def test_records_survive_being_written() -> None:
    live = owned({}, OTHER, {"spec": {"replicas": 1}})
    assert render(parse(live)) == live["metadata"]["managedFields"]


def test_without_a_shape_lists_are_values() -> None:
    paths = fieldset.values(None, {"spec": {"list": [{"a": 1}]}}, structures=False)
    assert paths == {("f:spec", "f:list"): [{"a": 1}]}
    assert isinstance(of_kind(DEPLOYMENT), Shape)
