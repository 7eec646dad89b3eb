"""Kubernetes' object semantics over HTTP: versions, lists, patches, deletion, dry run."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tests.support.cluster import Cluster
from tests.support.wait import eventually

SERVING = "/apis/serving.knative.dev/v1/namespaces/default/services"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.fixture
def maps(http: httpx.Client, namespace: str) -> str:
    """The path of the ConfigMaps of a namespace of the case's own."""
    del http
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.mark.covers(
    "objects",
    "conflict on an old resourceVersion",
    recording="04-failures/ssa-and-updates: replace with stale resourceVersion",
)
def test_an_old_version_conflicts(http: httpx.Client, maps: str) -> None:
    old = http.post(maps, json=config_map("a", x="1")).json()
    assert http.put(f"{maps}/a", json={**old, "data": {"x": "2"}}).status_code == 200
    answer = http.put(f"{maps}/a", json={**old, "data": {"x": "3"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please '
        "apply your changes to the latest version and try again"
    )
    assert answer.json()["reason"] == "Conflict"


@pytest.mark.covers("objects", "Status of an absent object",
                    recording="01-discovery/notfound-object")  # fmt: skip
def test_not_found(http: httpx.Client) -> None:
    answer = http.get(f"{SERVING}/nope")
    assert answer.status_code == 404
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'services.serving.knative.dev "nope" not found',
        "reason": "NotFound",
        "details": {"name": "nope", "group": "serving.knative.dev", "kind": "services"},
        "code": 404,
    }


@pytest.mark.covers(
    "objects", "unknown group in plain text", recording="01-discovery/notfound-group"
)
def test_an_unknown_group(http: httpx.Client) -> None:
    answer = http.get("/apis/nope.example.com/v1/things")
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


@pytest.mark.covers("objects", "create twice", recording="04-failures/raw-http: exists")
def test_already_exists(http: httpx.Client, maps: str) -> None:
    http.post(maps, json=config_map("a")).raise_for_status()
    answer = http.post(maps, json=config_map("a"))
    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")
    assert answer.json()["message"] == 'configmaps "a" already exists'


@pytest.mark.covers(
    "objects", "names that are refused", recording="04-failures/raw-http: name uppercase"
)
def test_a_bad_name_is_named(http: httpx.Client, maps: str) -> None:
    answer = http.post(maps, json=config_map("Hello"))
    body = answer.json()
    assert (answer.status_code, body["reason"]) == (422, "Invalid")
    cause = body["details"]["causes"][0]
    assert (cause["reason"], cause["field"]) == ("FieldValueInvalid", "metadata.name")
    assert cause["message"].startswith(
        'Invalid value: "Hello": a lowercase RFC 1123 subdomain must'
    )


@pytest.mark.covers("objects", "generation counts changes of the spec only")
def test_generation_and_status(http: httpx.Client, namespace: str) -> None:
    base = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "dev.local/hello:v1"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    made = http.post(base, json={"metadata": {"name": "d"}, "spec": spec}).json()
    assert made["metadata"]["generation"] == 1
    merge = {"content-type": "application/merge-patch+json"}
    labelled = http.patch(f"{base}/d", json={"metadata": {"labels": {"x": "y"}}}, headers=merge)
    assert labelled.json()["metadata"]["generation"] == 1
    ignored = http.patch(f"{base}/d", json={"status": {"replicas": 9}}, headers=merge).json()
    assert ignored.get("status", {}).get("replicas") != 9
    changed = http.patch(f"{base}/d", json={"spec": {"minReadySeconds": 1}}, headers=merge).json()
    assert changed["metadata"]["generation"] == 2


@pytest.mark.covers("lists", "chunks with limit and continue")
def test_lists_in_pages(http: httpx.Client, maps: str) -> None:
    for number in range(5):
        http.post(maps, json=config_map(f"m{number}")).raise_for_status()
    names: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        page = http.get(maps, params={"limit": 2, "continue": token}).json()
        names += [item["metadata"]["name"] for item in page["items"]]
        token, pages = page["metadata"].get("continue", ""), pages + 1
    assert pages == 3
    assert names == sorted(names)
    assert {f"m{number}" for number in range(5)} <= set(names)
    assert http.get(maps, params={"continue": "nonsense"}).status_code == 400


@pytest.mark.covers("lists", "label and field selectors")
@pytest.mark.parametrize(
    ("parameter", "selector", "names"),
    [
        ("labelSelector", "tier=a", {"one"}),
        ("labelSelector", "tier in (a,b),!x", {"one"}),
        ("labelSelector", "tier", {"one", "two"}),
        ("fieldSelector", "metadata.name=two", {"two"}),
    ],
)
def test_selectors(
    http: httpx.Client, maps: str, parameter: str, selector: str, names: set[str]
) -> None:
    for name, labels in (("one", {"tier": "a"}), ("two", {"tier": "b", "x": "1"})):
        body = config_map(name)
        body["metadata"]["labels"] = labels
        http.post(maps, json=body).raise_for_status()
    found = http.get(maps, params={parameter: selector}).json()["items"]
    assert {item["metadata"]["name"] for item in found} == names


@pytest.mark.covers("dry run", "create, update and delete change nothing",
                    recording="03-kubectl/lifecycle: apply dry-run=server -o yaml")  # fmt: skip
def test_dry_run(http: httpx.Client, maps: str) -> None:
    dry = {"dryRun": "All"}
    shown = http.post(maps, json=config_map("a"), params=dry)
    assert shown.status_code == 201
    assert shown.json()["metadata"]["uid"]
    assert "resourceVersion" not in shown.json()["metadata"]
    assert http.get(f"{maps}/a").status_code == 404
    http.post(maps, json=config_map("a", x="1")).raise_for_status()
    assert http.put(f"{maps}/a", json=config_map("a", x="2"), params=dry).json()["data"] == {
        "x": "2"
    }
    assert http.delete(f"{maps}/a", params=dry).status_code == 200
    assert http.get(f"{maps}/a").json()["data"] == {"x": "1"}


@pytest.mark.covers("delete", "Status with the object's details")
def test_delete_answers_with_details(http: httpx.Client, maps: str) -> None:
    uid = http.post(maps, json=config_map("a")).json()["metadata"]["uid"]
    body = http.delete(f"{maps}/a").json()
    assert (body["status"], body["details"]) == (
        "Success",
        {"name": "a", "kind": "configmaps", "uid": uid},
    )


@pytest.mark.covers("delete", "preconditions")
def test_delete_with_another_uid(http: httpx.Client, maps: str) -> None:
    http.post(maps, json=config_map("a")).raise_for_status()
    answer = http.request("DELETE", f"{maps}/a", json={"preconditions": {"uid": "other"}})
    assert answer.status_code == 409
    assert "Precondition failed: UID in precondition: other" in answer.json()["message"]


@pytest.mark.covers("delete", "a collection, by label")
def test_delete_collection(http: httpx.Client, maps: str) -> None:
    for name in ("one", "two"):
        body = config_map(name)
        body["metadata"]["labels"] = {"name": name}
        http.post(maps, json=body).raise_for_status()
    gone = http.delete(maps, params={"labelSelector": "name=one"}).json()
    assert [item["metadata"]["name"] for item in gone["items"]] == ["one"]
    assert http.get(f"{maps}/one").status_code == 404
    assert http.get(f"{maps}/two").status_code == 200


@pytest.mark.covers("delete", "finalizers hold an object")
def test_finalizers(http: httpx.Client, maps: str) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    http.post(maps, json=body).raise_for_status()
    assert "deletionTimestamp" in http.delete(f"{maps}/a").json()["metadata"]
    merge = {"content-type": "application/merge-patch+json"}
    http.patch(f"{maps}/a", json={"metadata": {"finalizers": None}}, headers=merge)
    assert http.get(f"{maps}/a").status_code == 404


@pytest.mark.covers("delete", "dependents: background, orphan, foreground")
@pytest.mark.parametrize(
    ("policy", "remains"), [("Background", False), ("Foreground", False), ("Orphan", True)]
)
def test_dependents(http: httpx.Client, maps: str, policy: str, remains: bool) -> None:
    owner = http.post(maps, json=config_map("owner")).json()
    child = config_map("child")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    child["metadata"]["ownerReferences"] = [reference | {"uid": owner["metadata"]["uid"]}]
    http.post(maps, json=child).raise_for_status()
    http.request("DELETE", f"{maps}/owner", json={"propagationPolicy": policy}).raise_for_status()
    eventually(lambda: http.get(f"{maps}/owner").status_code == 404)
    assert (http.get(f"{maps}/child").status_code == 200) is remains


@pytest.mark.covers("namespaces", "creation, default contents, deletion of everything inside")
def test_namespaces(cluster: Cluster, http: httpx.Client, namespace: str) -> None:
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    eventually(lambda: http.get(account).status_code == 200)
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    http.post(maps, json=config_map("a")).raise_for_status()
    cluster.kubectl("delete", "namespace", namespace, "--timeout=30s")
    assert http.get(f"/api/v1/namespaces/{namespace}").status_code == 404
    assert http.get(f"{maps}/a").status_code == 404


@pytest.mark.covers("namespaces", "an absent namespace",
                    recording="04-failures: namespaces not found")  # fmt: skip
def test_nothing_is_created_in_an_absent_namespace(http: httpx.Client) -> None:
    answer = http.post("/api/v1/namespaces/absent/configmaps", json=config_map("a"))
    assert answer.status_code == 404
    assert answer.json()["message"] == 'namespaces "absent" not found'


@pytest.mark.covers("patch", "JSON, merge, strategic",
                    recording="04-failures/ssa-and-updates: strategic patch")  # fmt: skip
@pytest.mark.parametrize(
    ("media", "patch", "data"),
    [
        ("application/json-patch+json", [{"op": "add", "path": "/data/y", "value": "2"}],
         {"x": "1", "y": "2"}),
        ("application/merge-patch+json", {"data": {"x": None, "y": "2"}}, {"y": "2"}),
        ("application/strategic-merge-patch+json", {"data": {"y": "2"}}, {"x": "1", "y": "2"}),
    ],
)  # fmt: skip
def test_patches(
    http: httpx.Client, maps: str, media: str, patch: Any, data: dict[str, str]
) -> None:
    http.post(maps, json=config_map("a", x="1")).raise_for_status()
    done = http.patch(f"{maps}/a", json=patch, headers={"content-type": media})
    assert done.json()["data"] == data


@pytest.mark.covers("patch", "a failing test of a JSON patch",
                    recording="04-failures/ssa-and-updates: json patch test fails")  # fmt: skip
def test_a_json_patch_that_fails(http: httpx.Client, maps: str) -> None:
    http.post(maps, json=config_map("a")).raise_for_status()
    patch = [{"op": "test", "path": "/metadata/name", "value": "x"}]
    done = http.patch(
        f"{maps}/a", json=patch, headers={"content-type": "application/json-patch+json"}
    )
    assert (done.status_code, done.json()["message"]) == (
        422,
        "the server rejected our request due to an error in our request",
    )


@pytest.mark.covers("objects", "Secrets: stringData and type")
def test_secrets(http: httpx.Client, namespace: str) -> None:
    base = f"/api/v1/namespaces/{namespace}/secrets"
    made = http.post(base, json={"metadata": {"name": "s"}, "stringData": {"a": "b"}}).json()
    assert made["type"] == "Opaque"
    assert made["data"] == {"a": base64.b64encode(b"b").decode()}
    assert "stringData" not in made


@pytest.mark.covers("objects", "Services: clusterIP, NodePort, ExternalName")
@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ({"ports": [{"port": 80}]}, "10.96."),
        ({"type": "NodePort", "ports": [{"port": 80}]}, "10.96."),
        ({"clusterIP": "None"}, "None"),
        ({"type": "ExternalName", "externalName": "example.com"}, ""),
    ],
)
def test_services(http: httpx.Client, namespace: str, spec: dict[str, Any], address: str) -> None:
    base = f"/api/v1/namespaces/{namespace}/services"
    made = http.post(base, json={"metadata": {"name": "s"}, "spec": spec}).json()
    assert made["spec"].get("clusterIP", "").startswith(address)
    if spec.get("type") == "NodePort":
        assert 30000 <= made["spec"]["ports"][0]["nodePort"] < 32768
