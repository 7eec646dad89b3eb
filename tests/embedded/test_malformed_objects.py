"""Valid objects with one field replaced by what it must not be: an answer, never a failure."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cluster import serve
from tests.support.kservices import hello, ready

Obj = dict[str, Any]
Place = tuple[str | int, ...]

JUNK: tuple[Any, ...] = (None, [], {}, "", 0, "x", [None])
CONTAINER: Obj = {
    "name": "c",
    "image": "dev.local/hello:v1",
    "ports": [{"containerPort": 8080}],
    "env": [{"name": "A", "value": "b"}],
}
LABELS = {"app": "malformed"}
POD: Obj = {"containers": [CONTAINER]}
TEMPLATE: Obj = {"metadata": {"labels": LABELS}, "spec": POD}
ONCE: Obj = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
KNATIVE, NETWORKING = "serving.knative.dev/v1", "networking.internal.knative.dev/v1alpha1"
SPLIT: Obj = {"serviceName": "x", "serviceNamespace": "default", "servicePort": 80, "percent": 100}
RULE: Obj = {"hosts": ["x.example"], "http": {"paths": [{"splits": [SPLIT]}]}}
# Each is stored once, and then only asked about with dry runs.
VALID: dict[str, tuple[str, str, Obj]] = {
    "pods": ("v1", "Pod", {"spec": POD}),
    "services": ("v1", "Service", {"spec": {"selector": LABELS, "ports": [{"port": 80}]}}),
    "secrets": ("v1", "Secret", {"stringData": {"a": "b"}}),
    "deployments": (
        "apps/v1",
        "Deployment",
        {"spec": {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}},
    ),
    "jobs": ("batch/v1", "Job", {"spec": {**ONCE, "suspend": True}}),
    "cronjobs": (
        "batch/v1",
        "CronJob",
        {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": ONCE}}},
    ),
    "roles": (
        "rbac.authorization.k8s.io/v1",
        "Role",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ),
    "horizontalpodautoscalers": (
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "x"}, "maxReplicas": 1,
                  "targetCPUUtilizationPercentage": 50}},
    ),
    "routes": (
        KNATIVE,
        "Route",
        {"spec": {"traffic": [{"configurationName": "x", "percent": 100, "tag": "t"}]}},
    ),
    "configurations": (KNATIVE, "Configuration", {"spec": {"template": {"spec": POD}}}),
    "ingresses": (NETWORKING, "Ingress", {"spec": {"rules": [RULE]}}),
    "serverlessservices": (
        NETWORKING,
        "ServerlessService",
        {"spec": {"mode": "Serve", "objectRef": {"kind": "Deployment", "name": "x"}}},
    ),
}  # fmt: skip


def collection(plural: str) -> str:
    version = VALID[plural][0]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/default/{plural}"


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """The paths of all fields and items in a value."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in members:
        yield (*here, step)
        if isinstance(inner, dict | list):
            yield from places(inner, (*here, step))


def replaced(obj: Obj, place: Place, junk: Any) -> Obj:
    changed = copy.deepcopy(obj)
    parent: Any = changed
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = junk
    return changed


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A cluster of its own, which has to work as ever after all cases, and to have logged nothing.

    Its log has a traceback for each request and each object that a part of it could not cope with.
    """
    folder: Path = tmp_path_factory.mktemp("malformed") / "state"
    with serve(folder, "malformed", "--port", "0") as cluster:
        with cluster.http() as client:
            yield client
        assert cluster.kubectl("create", "namespace", "after").code == 0
        cluster.apply(hello("after", "World"))
        ready(cluster, "after")
    assert "Traceback" not in folder.with_name("state.log").read_text()


@pytest.mark.covers("robustness", "one field of the wrong type or null: 2xx or 4xx with a Status")
@pytest.mark.parametrize("plural", VALID)
def test_one_field_replaced(api: httpx.Client, plural: str) -> None:
    version, kind, body = VALID[plural]
    head: Obj = {"apiVersion": version, "kind": kind, "metadata": {"name": "malformed"}}
    many = collection(plural)
    assert api.post(many, json=head | body | {"metadata": {"name": "malformed"}}).is_success
    for place in places(body):
        for junk in JUNK:
            changed = replaced(body, place, junk)
            for method, path, content, media in (
                ("POST", many, head | changed, "json"),
                ("PUT", f"{many}/malformed", head | changed, "json"),
                ("PATCH", f"{many}/malformed", changed, "merge-patch+json"),
            ):
                answer = api.request(
                    method, path, content=json.dumps(content), params={"dryRun": "All"},
                    headers={"content-type": f"application/{media}"},
                )  # fmt: skip
                where = f"{method} {place} = {junk!r}: {answer.text}"
                assert answer.status_code < 500, where
                assert answer.is_success or answer.json()["kind"] == "Status", where
    assert api.delete(f"{many}/malformed").is_success


@pytest.mark.covers("robustness", "a null among ports, environment, volumes or owners is no value")
@pytest.mark.parametrize(
    ("plural", "more", "code"),
    [
        ("pods", {"metadata": {"ownerReferences": [None]}}, 422),
        ("pods", {"spec": {"containers": [{**CONTAINER, "ports": [None]}]}}, 422),
        ("pods", {"spec": {"containers": [{**CONTAINER, "volumeMounts": [None]}]}}, 422),
        ("pods", {"spec": {"containers": None}}, 422),
        ("configurations",
         {"spec": {"template": {"spec": {"containers": [{**CONTAINER, "ports": [None]}]}}}}, 400),
        ("configurations",
         {"spec": {"template": {"spec": {"containers": [{**CONTAINER, "env": [None]}]}}}}, 400),
    ],
)  # fmt: skip
def test_null_items(api: httpx.Client, plural: str, more: Obj, code: int) -> None:
    version, kind, _ = VALID[plural]
    metadata = {"name": "nulls", **more.get("metadata", {})}
    body = {"apiVersion": version, "kind": kind, "spec": {}} | more | {"metadata": metadata}
    answer = api.post(collection(plural), json=body, params={"dryRun": "All"})
    assert answer.status_code == code, answer.text


@pytest.mark.covers("admission", "required fields are named in 422 Invalid")
@pytest.mark.parametrize(
    ("plural", "spec", "field"),
    [
        ("pods", {}, "spec.containers"),
        ("services", {}, "spec.ports"),
        ("deployments", {"template": TEMPLATE}, "spec.selector"),
        ("deployments", {"selector": {"matchLabels": LABELS}}, "spec.template.spec.containers"),
        ("jobs", {}, "spec.template.spec.containers"),
        ("cronjobs", {"jobTemplate": {"spec": ONCE}}, "spec.schedule"),
    ],
)
def test_required_fields(api: httpx.Client, plural: str, spec: Obj, field: str) -> None:
    version, kind, _ = VALID[plural]
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "lacking"}, "spec": spec}
    answer = api.post(collection(plural), json=body)
    status = answer.json()
    assert (answer.status_code, status["reason"]) == (422, "Invalid")
    assert f"{field}: Required value" in status["message"]
    cause = {"reason": "FieldValueRequired", "message": "Required value", "field": field}
    assert cause in status["details"]["causes"]
