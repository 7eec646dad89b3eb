"""CustomResourceDefinitions: applying one serves its kind."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cluster import Cluster


def definition(group: str) -> dict[str, Any]:
    properties = {
        "size": {"type": "integer", "minimum": 1, "maximum": 5},
        "color": {"type": "string", "enum": ["red", "blue"]},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
            },
        },
    }
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {"type": "object", "required": ["size"], "properties": properties},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
    }
    names = {
        "kind": "Widget",
        "plural": "widgets",
        "singular": "widget",
        "shortNames": ["wd"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


@pytest.fixture(scope="module")
def group(cluster: Cluster) -> Iterator[str]:
    """A group of the module's own with the kind Widget in it."""
    name = f"g{secrets.token_hex(3)}.example.com"
    cluster.apply(definition(name))
    waited = cluster.kubectl("wait", "--for=condition=Established", f"crd/widgets.{name}")
    assert waited.code == 0, waited.err
    yield name
    cluster.kubectl("delete", "crd", f"widgets.{name}")


def widget(group: str, name: str, **spec: Any) -> dict[str, Any]:
    meta = {"name": name}
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": meta, "spec": spec}


@pytest.mark.covers("CRDs", "discovery, short names, printer columns")
def test_a_custom_kind(cluster: Cluster, group: str, namespace: str) -> None:
    assert "widgets" in cluster.kubectl("api-resources", f"--api-group={group}").out
    made = cluster.apply(widget(group, "w", size=3) | {"metadata": {
        "name": "w", "namespace": namespace}})  # fmt: skip
    assert made.out == f"widget.{group}/w created\n"
    table = cluster.kubectl("get", "wd", "-n", namespace).out.splitlines()
    assert table[0].split() == ["NAME", "SIZE", "AGE"]
    assert table[1].split()[:2] == ["w", "3"]


@pytest.mark.covers("CRDs", "structural schema: types, required, enum, bounds")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "spec.size: Required value"),
        ({"size": "3"}, 'spec.size: Invalid value: "string": spec.size in body must be of type '
                        'integer: "string"'),
        ({"size": 9}, "spec.size: Invalid value: 9: spec.size in body should be less than or equal "
                      "to 5"),
        ({"size": 1, "color": "green"},
         'spec.color: Unsupported value: "green": supported values: "red", "blue"'),
        ({"size": 1, "parts": [{"n": 1}]}, "spec.parts[0].name: Required value"),
    ],
)  # fmt: skip
def test_the_schema(
    cluster: Cluster, group: str, namespace: str, spec: dict[str, Any], message: str
) -> None:
    with cluster.http() as http:
        base = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
        answer = http.post(base, json=widget(group, "bad", **spec))
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert answer.json()["message"] == f'Widget.{group} "bad" is invalid: {message}'


@pytest.mark.covers("CRDs", "unknown fields are dropped, or refused when strict")
def test_unknown_fields(cluster: Cluster, group: str, namespace: str) -> None:
    with cluster.http() as http:
        base = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
        body = widget(group, "w", size=1, bogus=2)
        strict = http.post(base, json=body, params={"fieldValidation": "Strict"})
        assert strict.status_code == 400
        assert strict.json()["message"].endswith(
            'strict decoding error: unknown field "spec.bogus"'
        )
        made = http.post(base, json=body)
        assert made.json()["spec"] == {"size": 1}
        assert made.headers["warning"] == '299 - "unknown field \\"spec.bogus\\""'


@pytest.mark.covers("CRDs", "lists with keys are merged by server-side apply")
def test_apply_by_two_managers(cluster: Cluster, group: str, namespace: str) -> None:
    with cluster.http() as http:
        path = f"/apis/{group}/v1/namespaces/{namespace}/widgets/w"
        media = {"content-type": "application/apply-patch+yaml"}
        for manager in ("one", "two"):
            body = widget(group, "w", size=1, parts=[{"name": manager, "n": 1}])
            done = http.patch(path, json=body, headers=media, params={"fieldManager": manager})
            assert done.status_code in (200, 201), done.text
        names = [part["name"] for part in http.get(path).json()["spec"]["parts"]]
    assert names == ["one", "two"]


@pytest.mark.covers("CRDs", "deleting one takes its objects along and ends its kind")
def test_the_end_of_a_kind(cluster: Cluster, namespace: str) -> None:
    group = f"g{secrets.token_hex(3)}.example.com"
    cluster.apply(definition(group))
    cluster.apply(widget(group, "w", size=1) | {"metadata": {"name": "w", "namespace": namespace}})
    assert cluster.kubectl("delete", "crd", f"widgets.{group}").code == 0
    with cluster.http() as http:
        gone = http.get(f"/apis/{group}/v1/namespaces/{namespace}/widgets")
    assert (gone.status_code, gone.text) == (404, "404 page not found\n")
