"""Null in an object, as Go's decoder reads it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.api import shapes
from infra.embedded.api.fields import mistakes
from infra.embedded.api.nulls import settle
from infra.embedded.kinds import POD

CONTAINER = shapes.of_name("Container")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "ports", "env", "args", "resources"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"name": None}, {}),
        ({"ports": None}, {}),
        ({"ports": [None]}, {"ports": [{}]}),
        ({"ports": [{"containerPort": None}]}, {"ports": [{}]}),
        ({"args": [None, "x"]}, {"args": ["", "x"]}),
        ({"resources": {"limits": {"cpu": None}}}, {"resources": {"limits": {"cpu": "0"}}}),
        ({"env": [{"name": "A", "value": None}]}, {"env": [{"name": "A"}]}),
        ({"unknown": None}, {"unknown": None}),
    ],
)
def test_null(sent: Any, read: Any) -> None:
    assert CONTAINER is not None
    settle(CONTAINER, sent)
    assert sent == read


def test_the_zero_time_that_go_writes_itself_stays() -> None:
    pod: Any = {"metadata": {"creationTimestamp": None, "deletionTimestamp": None, "labels": None}}
    shape = shapes.of_kind(POD)
    assert shape is not None
    settle(shape, pod)
    assert pod == {"metadata": {"creationTimestamp": None}}


@given(JSON)
def test_any_value_settles_once_and_is_as_right_or_wrong_as_before(value: Any) -> None:
    assert CONTAINER is not None
    before = list(mistakes(CONTAINER, value, ""))
    settle(CONTAINER, value)
    once = copy.deepcopy(value)
    settle(CONTAINER, value)
    assert value == once
    assert list(mistakes(CONTAINER, value, "")) == before
