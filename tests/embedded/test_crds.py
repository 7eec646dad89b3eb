"""CustomResourceDefinitions: applying one serves its kind."""

from __future__ import annotations

import json
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


def defaulted(group: str) -> dict[str, Any]:
    """The definition with a default for a field, for an item of a list and for a whole object."""
    crd = definition(group)
    version = crd["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["color"]["default"] = "red"
    spec["properties"]["parts"]["items"]["properties"]["count"] = {"type": "integer", "default": 7}
    spec["properties"]["limits"] = {
        "type": "object",
        "default": {},
        "properties": {"cpu": {"type": "string", "default": "1"}},
    }
    return crd


@pytest.mark.covers("CRDs", "defaults of the schema are stored, in lists and nested objects too")
def test_defaults(cluster: Cluster, namespace: str) -> None:
    group = f"g{secrets.token_hex(3)}.example.com"
    cluster.apply(defaulted(group))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}")
    try:
        with cluster.http() as http:
            base = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
            made = http.post(base, json=widget(group, "w", size=1, parts=[{"name": "a"}]))
            assert made.status_code == 201, made.text
            assert http.get(f"{base}/w").json()["spec"] == {
                "size": 1,
                "color": "red",
                "parts": [{"name": "a", "count": 7}],
                "limits": {"cpu": "1"},
            }
            removed = http.patch(
                f"{base}/w",
                json=[{"op": "remove", "path": "/spec/color"}],
                headers={"content-type": "application/json-patch+json"},
            )
            assert removed.json()["spec"]["color"] == "red"
            # Nothing changed after all.
            assert removed.json()["metadata"]["generation"] == 1
    finally:
        cluster.kubectl("delete", "crd", f"widgets.{group}")


@pytest.mark.covers("CRDs", "objects are shown in the version that is asked for")
def test_two_versions(cluster: Cluster, namespace: str) -> None:
    group = f"g{secrets.token_hex(3)}.example.com"
    crd = definition(group)
    versions = crd["spec"]["versions"]
    versions.append(versions[0] | {"name": "v1beta1", "storage": False})
    cluster.apply(crd)
    cluster.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}")
    try:
        with cluster.http() as http:
            base = f"/apis/{group}/{{}}/namespaces/{namespace}/widgets"
            http.post(base.format("v1"), json=widget(group, "w", size=1))
            for version in ("v1", "v1beta1"):
                path = base.format(version)
                assert http.get(f"{path}/w").json()["apiVersion"] == f"{group}/{version}"
                items = http.get(path).json()["items"]
                assert [item["apiVersion"] for item in items] == [f"{group}/{version}"]
    finally:
        cluster.kubectl("delete", "crd", f"widgets.{group}")


@pytest.mark.covers("CRDs", "rules in CEL are warned about, for nobody evaluates them")
def test_rules_in_cel(cluster: Cluster) -> None:
    group = f"g{secrets.token_hex(3)}.example.com"
    crd = definition(group)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["x-kubernetes-validations"] = [{"rule": "self.size < 3"}]
    made = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(crd))
    assert made.code == 0, made.err
    assert "x-kubernetes-validations of .spec are not evaluated" in made.err


def _broken(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    crd = definition("broken.example.com")
    place: Any = crd
    for part in path[:-1]:
        place = place[part]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return crd


_SCHEMA = ("spec", "versions", 0, "schema", "openAPIV3Schema")


@pytest.mark.covers("CRDs", "a definition that cannot be served is refused")
@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("spec",), None, "spec"),
        (("spec",), [], "json: cannot unmarshal array"),
        (("spec", "names"), None, "spec.names.kind"),
        (("spec", "names", "plural"), 3, "json: cannot unmarshal number"),
        (("spec", "names", "shortNames"), [[]], "json: cannot unmarshal array"),
        (("spec", "group"), None, "spec.group"),
        (("spec", "scope"), "Galaxy", "spec.scope"),
        (("spec", "versions"), None, "spec.versions"),
        (("spec", "versions"), [1], "json: cannot unmarshal number"),
        (("spec", "versions", 0, "storage"), False, "spec.versions"),
        (_SCHEMA, None, "spec.versions[0].schema.openAPIV3Schema"),
        ((*_SCHEMA, "properties"), [], "spec.versions[0].schema.openAPIV3Schema.properties"),
        ((*_SCHEMA, "properties", "spec"), "x",
         "spec.versions[0].schema.openAPIV3Schema.properties[spec]"),
        ((*_SCHEMA, "pattern"), "(", "spec.versions[0].schema.openAPIV3Schema.pattern"),
        (("spec", "versions", 0, "additionalPrinterColumns"), [{}],
         "spec.versions[0].additionalPrinterColumns[0].name"),
        (("metadata", "name"), "other.broken.example.com", "metadata.name"),
    ],
)  # fmt: skip
def test_a_broken_definition(
    cluster: Cluster, path: tuple[Any, ...], value: Any, field: str
) -> None:
    with cluster.http() as http:
        answer = http.post(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=_broken(path, value)
        )
        if field.startswith("json:"):  # a value of another type does not get as far as the rules
            assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
            assert field in answer.json()["message"]
        else:
            assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
            assert field in [cause["field"] for cause in answer.json()["details"]["causes"]]
        assert http.get("/readyz").text == "ok"


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
