"""Names of children, owners, labels."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.controllers import meta

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=120)
SUFFIXES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", max_size=90)


def obj(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a", "uid": "u", **metadata}}


@pytest.mark.parametrize(
    ("parent", "suffix", "expected"),
    [
        ("hello", "-00001", "hello-00001"),
        ("a" * 57, "-00001", "a" * 57 + "-00001"),
        ("a" * 58, "-00001", "a" * 25 + "dc2f2f2462a0d72358b2f99389458606-00001"),
        ("a", "-" + "b" * 63, "a" + hashlib.md5(b"a-" + b"b" * 63).hexdigest() + "-" + "b" * 29),
    ],
)
def test_child_names(parent: str, suffix: str, expected: str) -> None:
    assert meta.child_name(parent, suffix) == expected


@given(NAMES, SUFFIXES)
def test_child_names_fit_a_label(parent: str, suffix: str) -> None:
    assert len(meta.child_name(parent, suffix)) <= 63


@given(st.text("ab", min_size=64, max_size=80), st.text("ab", min_size=64, max_size=80))
def test_long_parents_stay_apart(one: str, other: str) -> None:
    same = meta.child_name(one, "-00001") == meta.child_name(other, "-00001")
    assert same == (one == other)


def test_a_child_knows_its_controller() -> None:
    parent = obj(uid="parent")
    child = obj(ownerReferences=[{"uid": "other"}, meta.controller_ref(parent)])
    assert meta.is_controlled_by(child, parent)
    assert not meta.is_controlled_by(child, obj(uid="other"))
    assert meta.controller_of(obj()) is None


@pytest.mark.parametrize(
    ("generation", "seen", "expected"), [(2, 2, True), (2, 1, False), (2, None, False)]
)
def test_observed(generation: int, seen: int | None, expected: bool) -> None:
    found = {**obj(generation=generation), "status": {"observedGeneration": seen}}
    assert meta.observed(found) is expected


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ({"app": "a"}, {"app": "a", "b": "c"}, True),
        ({"app": "a"}, {"app": "b"}, False),
        ({"app": "a"}, {}, False),
        ({}, {"app": "a"}, False),
    ],
)
def test_selects(selector: dict[str, str], labels: dict[str, str], expected: bool) -> None:
    assert meta.selects(selector, obj(labels=labels)) is expected


def test_empty_maps_are_left_out() -> None:
    changed = meta.with_metadata(obj(labels={"a": "b"}), labels={}, annotations=None)
    assert changed["metadata"] == {"name": "a", "uid": "u"}
