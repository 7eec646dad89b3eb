"""Watches over HTTP: from a version, from now, with bookmarks, selectors, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest


@pytest.fixture
def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def put(http: httpx.Client, maps: str, name: str, **labels: str) -> dict[str, Any]:
    body = {"metadata": {"name": name, "labels": labels}}
    answer = http.post(maps, json=body)
    if answer.status_code == 409:
        answer = http.put(f"{maps}/{name}", json=body)
    made: dict[str, Any] = answer.json()
    return made


@contextmanager
def watching(http: httpx.Client, maps: str, **query: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a watch that the server ends after a few seconds."""
    parameters = {"watch": "1", "timeoutSeconds": "5", **query}
    with http.stream("GET", maps, params=parameters) as answer:
        answer.raise_for_status()
        yield (json.loads(line) for line in answer.iter_lines() if line)


def shown(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


def version(http: httpx.Client, maps: str) -> str:
    revision: str = http.get(maps).json()["metadata"]["resourceVersion"]
    return revision


@pytest.mark.covers("watch", "resumes after a resourceVersion")
def test_from_a_version(http: httpx.Client, maps: str) -> None:
    put(http, maps, "before")
    since = version(http, maps)
    put(http, maps, "one")
    put(http, maps, "one", changed="yes")
    http.delete(f"{maps}/one")
    with watching(http, maps, resourceVersion=since) as events:
        seen = [shown(next(events)) for _ in range(3)]
    assert seen == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


@pytest.mark.covers("watch", "without a version begins with what is there")
def test_from_now(http: httpx.Client, maps: str) -> None:
    put(http, maps, "here")
    with watching(http, maps, fieldSelector="metadata.name=here") as events:
        assert shown(next(events)) == ("ADDED", "here")


@pytest.mark.covers("watch", "objects enter and leave a label selector")
def test_a_selector(http: httpx.Client, maps: str) -> None:
    since = version(http, maps)
    put(http, maps, "a", tier="x")
    put(http, maps, "a", tier="y")
    put(http, maps, "a", tier="x")
    put(http, maps, "other")
    with watching(http, maps, resourceVersion=since, labelSelector="tier=x") as events:
        seen = [shown(next(events)) for _ in range(3)]
    assert seen == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]


@pytest.mark.covers("watch", "sendInitialEvents ends with a bookmark")
def test_a_list_as_a_watch(http: httpx.Client, maps: str) -> None:
    put(http, maps, "here")
    query = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
        "fieldSelector": "metadata.name=here",
    }
    with watching(http, maps, **query) as events:
        assert shown(next(events)) == ("ADDED", "here")
        bookmark = next(events)
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["kind"] == "ConfigMap"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@pytest.mark.covers("watch", "ends at its timeout")
def test_the_server_ends_a_watch(http: httpx.Client, maps: str) -> None:
    with watching(http, maps, resourceVersion=version(http, maps), timeoutSeconds="1") as events:
        assert list(events) == []


@pytest.mark.covers("watch", "410 for a version that is forgotten")
def test_a_version_that_is_too_old(http: httpx.Client, maps: str) -> None:
    with watching(http, maps, resourceVersion="1") as events:
        event = next(events)
    if event["type"] == "ERROR":
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        assert event["object"]["message"].startswith("too old resource version: 1 (")
    else:
        # A young cluster remembers everything: the watch begins at the beginning.
        assert int(event["object"]["metadata"]["resourceVersion"]) > 1


@pytest.mark.covers("watch", "as a Table, headers once")
def test_a_watch_as_a_table(http: httpx.Client, maps: str) -> None:
    since = version(http, maps)
    put(http, maps, "a")
    put(http, maps, "a", changed="yes")
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    query = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "5"}
    with http.stream("GET", maps, params=query, headers=accept) as answer:
        lines = answer.iter_lines()
        first, second = json.loads(next(lines)), json.loads(next(lines))
    assert [c["name"] for c in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert first["object"]["rows"][0]["cells"][:2] == ["a", 0]
    assert second["object"]["columnDefinitions"] is None
