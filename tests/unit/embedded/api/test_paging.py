"""Where a page of a list begins, and what it shows."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.api import paging
from infra.embedded.api.paging import ExpiredToken, Start
from infra.embedded.api.target import Options
from infra.embedded.changes import HISTORY
from infra.embedded.clock import Clock
from infra.embedded.errors import BadRequest, Expired, StatusError
from infra.embedded.kinds import CONFIGMAP
from infra.embedded.store import Store


def a_map(name: str, state: str = "") -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "n"}, "data": {"state": state}}


@pytest.fixture
def store() -> Store:
    store = Store(Clock())
    for name in ("a", "b", "c"):
        store.create(CONFIGMAP, a_map(name, "first"))
    return store


def shown(store: Store, start: Start) -> dict[str, str]:
    found = paging.objects(store, CONFIGMAP, "n", start)
    return {stored.obj["metadata"]["name"]: stored.obj["data"]["state"] for stored in found}


def test_the_objects_of_a_moment(store: Store) -> None:
    then = Start(store.revision)
    store.delete(CONFIGMAP, "n", "a")
    store.update(CONFIGMAP, a_map("b", "second"))
    store.update(CONFIGMAP, a_map("b", "third"))
    store.create(CONFIGMAP, a_map("d", "new"))
    store.delete(CONFIGMAP, "n", "c")
    store.create(CONFIGMAP, a_map("c", "again"))
    assert shown(store, then) == {"a": "first", "b": "first", "c": "first"}
    assert shown(store, Start(store.revision)) == {"b": "third", "c": "again", "d": "new"}


def test_a_moment_that_is_forgotten(store: Store) -> None:
    then = store.revision
    for number in range(HISTORY + 1):
        store.update(CONFIGMAP, a_map("b", str(number)))
    with pytest.raises(Expired):
        paging.objects(store, CONFIGMAP, "n", Start(then))
    with pytest.raises(ExpiredToken) as refused:
        paging.objects(store, CONFIGMAP, "n", Start(then, ("n", "a")))
    status = refused.value.status()
    assert (status["code"], status["reason"]) == (410, "Expired")
    # The token that comes with it goes on from the same place, with the objects as they are.
    again = paging.start_of(Options(continue_=status["metadata"]["continue"]), store.revision)
    assert again == Start(store.revision, ("n", "a"))
    assert shown(store, again)["b"] == str(HISTORY)


@given(st.integers(0, 10**9), st.text(), st.text())
def test_tokens(revision: int, namespace: str, name: str) -> None:
    start = Start(revision, (namespace, name))
    assert paging.start_of(Options(continue_=start.token), 10**10) == start


@pytest.mark.parametrize("content", ["", "x", "e30=", "bnVsbA==", "WzFd"])
def test_nonsense(content: str) -> None:
    with pytest.raises(BadRequest):
        paging.start_of(Options(continue_=content or "?"), 1)


@pytest.mark.parametrize("start", [None, [], ["a"], 3])
def test_tokens_without_a_place(start: object) -> None:
    token = base64.urlsafe_b64encode(json.dumps({"rv": 1, "start": start}).encode()).decode()
    with pytest.raises(BadRequest):
        paging.start_of(Options(continue_=token), 1)


def test_versions() -> None:
    assert paging.start_of(Options(), 7) == Start(7)
    assert paging.start_of(Options(resource_version="3"), 7) == Start(7)
    assert paging.start_of(Options(resource_version="3", match="Exact"), 7) == Start(3)
    with pytest.raises(BadRequest):
        paging.start_of(Options(match="Exact"), 7)
    with pytest.raises(StatusError) as refused:
        paging.start_of(Options(resource_version="8"), 7)
    assert refused.value.code == 504
    with pytest.raises(BadRequest):
        paging.start_of(Options(resource_version="3", continue_=Start(3).token), 7)
