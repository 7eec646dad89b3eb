"""kubectl scale and rollout: the subresource scale, and ReplicaSets that come back."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
import pytest

from tests.support.cluster import Cluster
from tests.support.wait import eventually

SLOW = 60.0


@pytest.fixture
def name(cluster: Cluster, namespace: str) -> str:
    """A Deployment of the case's own, with one pod."""
    made = f"case-{secrets.token_hex(3)}"
    labels = {"app": made}
    container = {"name": "app", "image": "dev.local/hello:v1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": made, "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }
    )
    return made


def count(cluster: Cluster, namespace: str, name: str) -> int:
    status = cluster.get("deployment", name, namespace).get("status", {})
    return int(status.get("readyReplicas", 0))


@pytest.mark.covers("workloads", "kubectl scale changes how many pods there are")
def test_scale(cluster: Cluster, namespace: str, name: str) -> None:
    for replicas in (3, 0, 1):
        asked = ("scale", f"deployment/{name}", f"--replicas={replicas}", "-n", namespace)
        done = cluster.kubectl(*asked)
        assert (done.code, done.out) == (0, f"deployment.apps/{name} scaled\n")
        eventually(lambda n=replicas: count(cluster, namespace, name) == n, timeout=SLOW)


@pytest.mark.covers("workloads", "kubectl scale from another number than there is changes nothing")
def test_scale_from_another_number(cluster: Cluster, namespace: str, name: str) -> None:
    asked = ("scale", f"deployment/{name}", "--replicas=3", "--current-replicas=2")
    done = cluster.kubectl(*asked, "-n", namespace)
    assert done.code == 1
    assert "Expected replicas to be 2, was 1" in done.err
    assert cluster.get("deployment", name, namespace)["spec"]["replicas"] == 1


def path(namespace: str, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"


@pytest.mark.covers("workloads", "the Scale of a Deployment")
def test_the_object(http: httpx.Client, cluster: Cluster, namespace: str, name: str) -> None:
    eventually(lambda: count(cluster, namespace, name) == 1, timeout=SLOW)
    found = http.get(path(namespace, name)).json()
    deployment = cluster.get("deployment", name, namespace)
    shown = ("name", "namespace", "uid", "creationTimestamp")
    assert (found["kind"], found["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert {key: found["metadata"][key] for key in shown} == {
        key: deployment["metadata"][key] for key in shown
    }
    assert found["spec"] == {"replicas": 1}
    assert found["status"] == {"replicas": 1, "selector": f"app={name}"}


@pytest.mark.covers("workloads", "a Scale of another version, or of no sense, is refused")
@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"metadata": {"resourceVersion": "1"}}, 409, "the object has been modified"),
        (
            {"spec": {"replicas": -1}},
            422,
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        ({"spec": {"replicas": "many"}}, 400, "spec.replicas of a Scale is a number"),
        ({"kind": "Deployment"}, 400, "cannot be handled as a Scale"),
        ({"spec": []}, 400, "metadata and spec of a Scale are objects"),
    ],
)
def test_refused(
    http: httpx.Client, namespace: str, name: str, change: dict[str, Any], code: int, message: str
) -> None:
    headers = {"content-type": "application/merge-patch+json"}
    answer = http.patch(path(namespace, name), content=json.dumps(change), headers=headers)
    assert answer.status_code == code, answer.text
    assert message in answer.json()["message"]


@pytest.mark.covers("discovery", "the subresource scale", recording="01-discovery/apis.aggregated")
@pytest.mark.parametrize("plural", ["deployments", "replicasets"])
def test_discovery(http: httpx.Client, plural: str) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    groups = http.get("/apis", headers={"accept": accept}).json()["items"]
    (apps,) = (group for group in groups if group["metadata"]["name"] == "apps")
    (found,) = (r for r in apps["versions"][0]["resources"] if r["resource"] == plural)
    assert found["subresources"][0] == {
        "subresource": "scale",
        "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        "verbs": ["get", "patch", "update"],
    }


@pytest.mark.covers("workloads", "kubectl rollout: restart, status, undo to the same ReplicaSet")
def test_rollout(cluster: Cluster, namespace: str, name: str) -> None:
    def rollout(verb: str) -> None:
        more = ("--timeout=60s",) if verb == "status" else ()
        done = cluster.kubectl("rollout", verb, f"deployment/{name}", "-n", namespace, *more)
        assert done.code == 0, done.err

    def replicasets() -> dict[str, int]:
        done = cluster.kubectl("get", "replicasets", "-n", namespace, "-o", "json")
        found = json.loads(done.out)["items"]
        return {one["metadata"]["name"]: one["spec"]["replicas"] for one in found}

    rollout("status")
    (first,) = replicasets()
    rollout("restart")
    rollout("status")
    assert len(replicasets()) == 2
    assert replicasets()[first] == 0
    rollout("undo")
    rollout("status")
    assert len(replicasets()) == 2
    assert replicasets()[first] == 1
