"""Lists in pages are of one moment; versions of the past, and views of other versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest


@pytest.fixture
def maps(http: httpx.Client, namespace: str) -> str:
    """A collection with m0 to m5 in it."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(6):
        body = {"metadata": {"name": f"m{number}"}, "data": {"state": "first"}}
        assert http.post(path, json=body).status_code == 201
    return path


def names(page: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in page["items"]]


def pages(http: httpx.Client, path: str, first: dict[str, Any]) -> Iterator[dict[str, Any]]:
    token = first["metadata"].get("continue")
    while token:
        answer = http.get(path, params={"limit": 2, "continue": token})
        assert answer.status_code == 200, answer.text
        yield answer.json()
        token = answer.json()["metadata"].get("continue")


@pytest.mark.covers("lists", "later pages show the objects as of the first page")
def test_one_moment(http: httpx.Client, maps: str) -> None:
    params = {"limit": 2, "labelSelector": "", "fieldSelector": "metadata.name!=kube-root-ca.crt"}
    first = http.get(maps, params=params).json()
    http.delete(f"{maps}/m4")
    http.post(maps, json={"metadata": {"name": "m45"}})
    changed = {"metadata": {"name": "m5"}, "data": {"state": "second"}}
    assert http.put(f"{maps}/m5", json=changed).status_code == 200
    rest = list(pages(http, maps, first))
    whole = [item for page in (first, *rest) for item in page["items"]]
    seen = {item["metadata"]["name"]: (item.get("data") or {}).get("state") for item in whole}
    seen.pop("kube-root-ca.crt", None)
    assert seen == {f"m{number}": "first" for number in range(6)}
    assert {page["metadata"]["resourceVersion"] for page in (first, *rest)} == {
        first["metadata"]["resourceVersion"]
    }
    now = http.get(maps).json()
    assert {"m45", "m5"} <= set(names(now))
    assert "m4" not in names(now)


@pytest.mark.covers("lists", "resourceVersionMatch=Exact shows a version of the past")
def test_the_past(http: httpx.Client, maps: str) -> None:
    then = http.get(maps).json()
    http.delete(f"{maps}/m0")
    params = {"resourceVersion": then["metadata"]["resourceVersion"]}
    exact = http.get(maps, params=params | {"resourceVersionMatch": "Exact"}).json()
    assert names(exact) == names(then)
    newer = http.get(maps, params=params | {"resourceVersionMatch": "NotOlderThan"}).json()
    assert "m0" not in names(newer)
    assert http.get(maps, params={"resourceVersionMatch": "Exact"}).status_code == 400


@pytest.mark.covers("lists", "items of built-in kinds say neither kind nor version")
def test_items(http: httpx.Client, maps: str) -> None:
    listed = http.get(maps).json()
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert all("kind" not in item and "apiVersion" not in item for item in listed["items"])
    services = http.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").json()
    assert services["kind"] == "CustomResourceDefinitionList"


@pytest.mark.covers("events", "events.k8s.io shows core events in its own fields")
def test_events_in_two_versions(http: httpx.Client, namespace: str) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": namespace},
        "message": "it happened",
        "reason": "Testing",
        "type": "Normal",
        "count": 2,
    }
    made = http.post(f"/api/v1/namespaces/{namespace}/events", json=event)
    assert made.status_code == 201, made.text
    view = http.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events/e").json()
    assert view["apiVersion"] == "events.k8s.io/v1"
    assert (view["note"], view["regarding"]["name"]) == ("it happened", "p")
    assert view["deprecatedCount"] == 2
    new = {"metadata": {"name": "f"}, "note": "again", "regarding": event["involvedObject"],
           "reason": "Testing", "type": "Normal", "reportingController": "here"}  # fmt: skip
    made = http.post(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", json=new)
    assert made.status_code == 201, made.text
    core = http.get(f"/api/v1/namespaces/{namespace}/events/f").json()
    assert (core["message"], core["reportingComponent"]) == ("again", "here")


@pytest.mark.covers("discovery", "an unchanged document is answered 304")
def test_a_document_that_is_known(http: httpx.Client) -> None:
    accept = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    first = http.get("/apis", headers=accept)
    again = http.get("/apis", headers=accept | {"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.covers("discovery", "health pages and their single checks")
def test_health(http: httpx.Client) -> None:
    assert http.get("/readyz/ping").text == "ok"
    assert http.get("/livez?verbose").text.endswith("livez check passed\n")
    assert http.get("/readyz/no-such-check").status_code == 404
