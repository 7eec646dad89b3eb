"""JSON Patch, JSON Merge Patch and strategic merge patch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.api import patch
from infra.embedded.errors import BadRequest, StatusError, UnsupportedMediaType
from infra.embedded.kinds import DEPLOYMENT, KSERVICE, SERVICE

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.lists(inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


# RFC 7386, appendix A.
@pytest.mark.parametrize(
    ("target", "change", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, "bar", "bar"),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ],
)
def test_merge_patch(target: Any, change: Any, result: Any) -> None:
    assert patch.merge(target, change) == result


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_is_idempotent_and_leaves_its_target(
    target: dict[str, Any], change: dict[str, Any]
) -> None:
    before = repr(target)
    once = patch.merge(target, change)
    assert repr(target) == before
    assert patch.merge(once, change) == once


def test_json_patch() -> None:
    operations = [
        {"op": "test", "path": "/a", "value": 1},
        {"op": "replace", "path": "/a", "value": 2},
        {"op": "add", "path": "/b/-", "value": 3},
    ]
    obj = {"a": 1, "b": []}
    assert patch.apply(KSERVICE, obj, operations, patch.JSON_PATCH) == {"a": 2, "b": [3]}
    assert obj == {"a": 1, "b": []}


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "test", "path": "/a", "value": 2}],
        [{"op": "remove", "path": "/missing"}],
        [{"op": "nope", "path": "/a"}],
        [{"path": "/a"}],
        [3],
    ],
)
def test_a_json_patch_that_does_not_apply(operations: list[Any]) -> None:
    with pytest.raises(StatusError, match="rejected our request due to an error") as raised:
        patch.apply(KSERVICE, {"a": 1}, operations, patch.JSON_PATCH)
    assert (raised.value.code, raised.value.reason) == (422, "Invalid")


@pytest.mark.parametrize(
    ("media", "content"),
    [(patch.JSON_PATCH, {"a": 1}), (patch.MERGE_PATCH, [1]), (patch.STRATEGIC, "x")],
)
def test_a_patch_of_the_wrong_form(media: str, content: Any) -> None:
    with pytest.raises(BadRequest):
        patch.apply(DEPLOYMENT, {}, content, media)


def test_custom_resources_have_no_strategic_patch() -> None:
    with pytest.raises(UnsupportedMediaType) as raised:
        patch.apply(KSERVICE, {}, {}, patch.STRATEGIC)
    assert raised.value.message == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


CONTAINERS = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}


@pytest.mark.parametrize(
    ("change", "containers"),
    [
        (
            [{"name": "b", "image": "2"}],
            [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}],
        ),
        ([{"name": "a", "$patch": "delete"}], [{"name": "b", "image": "1"}]),
        ([{"$patch": "replace"}, {"name": "c"}], [{"name": "c"}]),
        (
            [{"name": "c"}],
            [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "c"}],
        ),
    ],
    ids=["merge", "delete", "replace", "add"],
)
def test_lists_are_merged_by_their_key(change: Any, containers: Any) -> None:
    made = patch.apply(DEPLOYMENT, CONTAINERS, {"spec": {"containers": change}}, patch.STRATEGIC)
    assert made["spec"]["containers"] == containers


def test_the_patch_says_the_order() -> None:
    change = {
        "containers": [{"name": "b", "image": "2"}],
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
    }
    made = patch.apply(DEPLOYMENT, CONTAINERS, {"spec": change}, patch.STRATEGIC)
    assert [c["name"] for c in made["spec"]["containers"]] == ["b", "a"]


def test_the_ports_of_a_service_have_another_key() -> None:
    service = {"spec": {"ports": [{"port": 80, "name": "a"}]}}
    change = {"spec": {"ports": [{"port": 80, "name": "b"}, {"port": 81}]}}
    made = patch.apply(SERVICE, service, change, patch.STRATEGIC)
    assert made["spec"]["ports"] == [{"port": 80, "name": "b"}, {"port": 81}]


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({"a": None}, {"f": ["x"], "s": {"k": 1, "l": 2}}),
        ({"f": ["y"]}, {"a": 1, "f": ["y"], "s": {"k": 1, "l": 2}}),
        ({"$deleteFromPrimitiveList/f": ["x"]}, {"a": 1, "f": [], "s": {"k": 1, "l": 2}}),
        ({"s": {"$patch": "replace", "m": 3}}, {"a": 1, "f": ["x"], "s": {"m": 3}}),
        ({"s": {"$retainKeys": ["l"], "l": 5}}, {"a": 1, "f": ["x"], "s": {"l": 5}}),
    ],
    ids=["null", "plain list", "delete from list", "replace", "retain keys"],
)
def test_directives(change: Any, result: Any) -> None:
    target = {"a": 1, "f": ["x"], "s": {"k": 1, "l": 2}}
    assert patch.apply(DEPLOYMENT, target, change, patch.STRATEGIC) == result


def test_finalizers_are_a_set() -> None:
    target = {"metadata": {"finalizers": ["a"]}}
    change = {"metadata": {"finalizers": ["a", "b"]}}
    made = patch.apply(DEPLOYMENT, target, change, patch.STRATEGIC)
    assert made["metadata"]["finalizers"] == ["a", "b"]
