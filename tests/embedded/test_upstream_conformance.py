"""What upstream's API conformance tests do: plain calls on serving v1, no watches."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.cluster import Cluster
from tests.support.exchange import get
from tests.support.wait import eventually

JSON_PATCH = {"content-type": "application/json-patch+json"}


def service(name: str) -> dict[str, Any]:
    container = {"image": "ghcr.io/knative/helloworld-go:latest"}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


@pytest.fixture
def services(namespace: str) -> str:
    return f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services"


def ready(http: httpx.Client, path: str) -> bool:
    found = http.get(path).json()
    status = found.get("status", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
    observed = status.get("observedGeneration") == found["metadata"]["generation"]
    return observed and conditions.get("Ready") == "True"


@pytest.mark.covers("upstream's conformance", "create, get, list, update, delete")
def test_the_life_of_a_service(http: httpx.Client, services: str) -> None:
    created = http.post(services, json=service("hello"))
    assert created.status_code == 201
    assert created.json()["metadata"]["generation"] == 1
    path = f"{services}/hello"
    eventually(lambda: ready(http, path), timeout=90)
    listed = http.get(services).json()["items"]
    assert [item["metadata"]["name"] for item in listed] == ["hello"]
    wanted = http.get(path).json()
    wanted["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "b"}]
    updated = http.put(path, json=wanted)
    assert (updated.status_code, updated.json()["metadata"]["generation"]) == (200, 2)
    eventually(lambda: ready(http, path), timeout=90)
    assert http.get(path).json()["status"]["latestReadyRevisionName"] == "hello-00002"
    gone = http.request("DELETE", path, json={"propagationPolicy": "Foreground"})
    assert gone.status_code == 200
    eventually(lambda: http.get(path).status_code == 404, timeout=90)


@pytest.mark.covers("upstream's conformance", "JSON patches replace and remove defaulted paths",
                    recording="03-kubectl/lifecycle: apply dry-run=server -o yaml")  # fmt: skip
@pytest.mark.parametrize(
    ("operation", "path", "default"),
    [
        ("replace", "/spec/template/spec/timeoutSeconds", 300),
        ("replace", "/spec/template/spec/containerConcurrency", 0),
        ("remove", "/spec/template/spec/timeoutSeconds", 300),
        ("remove", "/spec/template/spec/containerConcurrency", 0),
        ("remove", "/spec/traffic", [{"latestRevision": True, "percent": 100}]),
        ("remove", "/spec/template/spec/enableServiceLinks", False),
    ],
)
def test_patches(
    http: httpx.Client, services: str, operation: str, path: str, default: object
) -> None:
    http.post(services, json=service("hello"))
    change: dict[str, Any] = {"op": operation, "path": path}
    if operation == "replace":
        change["value"] = 7
    answer = http.patch(f"{services}/hello", json=[change], headers=JSON_PATCH)
    assert answer.status_code == 200, answer.text
    place: Any = answer.json()
    for part in path.split("/")[1:]:
        place = place[part]
    assert place == (7 if operation == "replace" else default)


@pytest.mark.covers("upstream's conformance", "Foreground deletion waits for the dependents")
def test_foreground(http: httpx.Client, services: str, namespace: str) -> None:
    http.post(services, json=service("hello"))
    path = f"{services}/hello"
    eventually(lambda: ready(http, path), timeout=90)
    answer = http.request(
        "DELETE", path, json={"kind": "DeleteOptions", "apiVersion": "v1",
                              "propagationPolicy": "Foreground"},
    )  # fmt: skip
    assert answer.status_code == 200
    eventually(lambda: http.get(path).status_code == 404, timeout=90)
    for plural in ("revisions", "routes", "configurations"):
        left = http.get(f"/apis/serving.knative.dev/v1/namespaces/{namespace}/{plural}")
        assert left.json()["items"] == []


@pytest.mark.covers("upstream's conformance", "the gateway's Service maps port 80 to a node port")
def test_the_gateway_service(cluster: Cluster, http: httpx.Client) -> None:
    found = http.get("/api/v1/namespaces/kourier-system/services/kourier").json()
    ports = {port["port"]: port for port in found["spec"]["ports"]}
    assert 80 in ports


INGRESSES = "/apis/networking.internal.knative.dev/v1alpha1/namespaces/{}/ingresses"
KOURIER = {"networking.knative.dev/ingress.class": "kourier.ingress.networking.knative.dev"}


def plain_backend(namespace: str) -> list[dict[str, Any]]:
    """A pod and a Service before it, as upstream's tests of ingresses make them."""
    labels = {"test-pod": "plain"}
    meta = {"name": "plain", "namespace": namespace, "labels": labels}
    container = {
        "name": "foo",
        "image": "ghcr.io/knative/helloworld-go:latest",
        "env": [{"name": "PORT", "value": "8091"}],
        "ports": [{"name": "http", "containerPort": 8091}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8091}},
    }
    ports = [{"name": "http", "port": 81, "targetPort": 8091}]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta,
         "spec": {"ports": ports, "selector": labels}},
    ]  # fmt: skip


def written_ingress(namespace: str, host: str, **annotations: str) -> dict[str, Any]:
    split = {"serviceName": "plain", "serviceNamespace": namespace, "servicePort": 81}
    rule = {"hosts": [host], "visibility": "ExternalIP", "http": {"paths": [{"splits": [split]}]}}
    name = host.partition(".")[0]
    meta = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"metadata": meta, "spec": {"rules": [rule]}}


@pytest.mark.covers("upstream's conformance", "an Ingress that the test wrote leads to its Service")
def test_an_ingress_to_a_plain_service(
    cluster: Cluster, http: httpx.Client, namespace: str
) -> None:
    if not cluster.embedded:
        pytest.skip("asks the emulator's gateway")
    ingresses = INGRESSES.format(namespace)
    host = f"mine-{namespace}.example.com"
    made = http.post(ingresses, json=written_ingress(namespace, host, **KOURIER)).json()
    path = f"{ingresses}/{made['metadata']['name']}"
    eventually(lambda: http.get(path).json().get("status"), timeout=90)
    assert not ready(http, path)  # its Service is not there yet
    cluster.apply(*plain_backend(namespace))
    eventually(lambda: ready(http, path), timeout=90)
    balancers = http.get(path).json()["status"]
    assert balancers["publicLoadBalancer"]["ingress"][0]["domainInternal"].startswith("kourier.")
    gateway = cluster.info["gateway"]["address"], cluster.info["gateway"]["http"]
    eventually(lambda: get(gateway, host).body.startswith(b"Hello"), timeout=90)
    assert http.delete(path).status_code == 200
    eventually(lambda: " 404 " in get(gateway, host).status, timeout=90)


@pytest.mark.covers("upstream's conformance", "an Ingress of another class is left alone")
@pytest.mark.parametrize(
    "annotations",
    [{}, {"networking.knative.dev/ingress.class": "incorrect"}],
    ids=["none", "other"],
)
def test_an_ingress_of_another_class(
    http: httpx.Client, namespace: str, annotations: dict[str, str]
) -> None:
    ingresses = INGRESSES.format(namespace)
    other = written_ingress(namespace, f"other-{namespace}.example.com", **annotations)
    ours = written_ingress(namespace, f"ours-{namespace}.example.com", **KOURIER)
    made = http.post(ingresses, json=other).json()
    later = http.post(ingresses, json=ours).json()["metadata"]["name"]
    eventually(lambda: http.get(f"{ingresses}/{later}").json().get("status"), timeout=90)
    left = http.get(f"{ingresses}/{made['metadata']['name']}").json()
    assert "status" not in left
    assert "finalizers" not in left["metadata"]
