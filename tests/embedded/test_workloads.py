"""Deployments, Jobs and CronJobs with the real kubectl and real pods."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cluster import Cluster, serve
from tests.support.wait import eventually

Obj = dict[str, Any]
IMAGE = "dev.local/hello:v1"
FAST = 30  # cluster seconds per second


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of the emulator's own whose clock runs faster."""
    folder = tmp_path_factory.mktemp("workloads") / "state"
    name = f"work-{secrets.token_hex(3)}"
    with serve(folder, name, "--time-scale", str(FAST), "--port", "0") as running:
        yield running


@pytest.fixture
def name() -> str:
    """A name of the case's own."""
    return f"case-{secrets.token_hex(3)}"


def deployment(name: str, *, replicas: int = 1, **pod: Any) -> Obj:
    labels = {"app": name}
    container = {"name": "app", "image": IMAGE}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], **pod},
            },
        },
    }


def job_spec(script: str, **spec: Any) -> Obj:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", script]}
    return {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}, **spec}


def items(cluster: Cluster, kind: str, name: str) -> list[Obj]:
    """The objects whose names begin with the case's."""
    done = cluster.kubectl("get", kind, "-n", "default", "-o", "json")
    found: list[Obj] = json.loads(done.out)["items"]
    return [obj for obj in found if obj["metadata"]["name"].startswith(name)]


def running(cluster: Cluster, name: str) -> set[str]:
    """Names of the ready pods that stay."""
    return {
        pod["metadata"]["name"]
        for pod in items(cluster, "pods", name)
        if "deletionTimestamp" not in pod["metadata"]
        and {"type": "Ready", "status": "True"}.items()
        <= next(c for c in pod["status"]["conditions"] if c["type"] == "Ready").items()
    }


@pytest.mark.covers("workloads", "a deleted pod is replaced")
def test_a_deleted_pod_is_replaced(own: Cluster, name: str) -> None:
    own.apply(deployment(name))
    (first,) = eventually(lambda: running(own, name), timeout=20)
    assert own.kubectl("delete", "pod", first, "--wait=false").code == 0
    replaced = eventually(lambda: running(own, name) - {first}, timeout=20)
    assert len(replaced) == 1
    own.kubectl("delete", "deployment", name)


@pytest.mark.covers("workloads", "a deployment is scaled by a patch")
def test_a_deployment_is_scaled_by_a_patch(own: Cluster, name: str) -> None:
    own.apply(deployment(name))
    eventually(lambda: len(running(own, name)) == 1, timeout=20)
    patch = ("patch", "deployment", name, "--type", "merge", "-p")
    assert own.kubectl(*patch, '{"spec": {"replicas": 3}}').code == 0
    eventually(lambda: len(running(own, name)) == 3, timeout=20)
    assert own.kubectl(*patch, '{"spec": {"replicas": 0}}').code == 0
    eventually(lambda: not running(own, name), timeout=20)
    events = own.kubectl("events", "--for", f"deployment/{name}").out
    assert "from 0 to 1" in events
    assert "from 3 to 0" in events
    own.kubectl("delete", "deployment", name)


@pytest.mark.covers("workloads", "a deployment says why it has no pods")
def test_a_deployment_says_why_it_has_no_pods(own: Cluster, name: str) -> None:
    own.apply(deployment(name, serviceAccountName="nope"))

    def failure() -> list[Obj]:
        status = own.get("deployment", name).get("status", {})
        return [c for c in status.get("conditions", ()) if c["type"] == "ReplicaFailure"]

    (condition,) = eventually(failure, timeout=10)
    assert (condition["status"], condition["reason"]) == ("True", "FailedCreate")
    account = 'service account default/nope: serviceaccount "nope" not found'
    assert condition["message"].endswith(f"is forbidden: error looking up {account}")
    own.kubectl("delete", "deployment", name)


@pytest.mark.covers("workloads", "deleting a deployment deletes its pods")
def test_deleting_a_deployment_deletes_its_pods(own: Cluster, name: str) -> None:
    own.apply(deployment(name, terminationGracePeriodSeconds=1))
    eventually(lambda: running(own, name), timeout=20)
    assert own.kubectl("delete", "deployment", name).code == 0
    eventually(lambda: not items(own, "pods,replicasets", name), timeout=20)


@pytest.mark.covers("workloads", "a namespace takes its kservices with it")
def test_a_namespace_takes_its_kservices_with_it(own: Cluster, name: str) -> None:
    assert own.kubectl("create", "namespace", name).code == 0
    spec = {"template": {"spec": {"containers": [{"image": IMAGE}]}}}
    meta = {"name": "hello", "namespace": name}
    own.apply(
        {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": meta, "spec": spec}
    )
    done = own.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "-n", name, "--timeout=30s")
    assert done.code == 0, done.err
    assert own.kubectl("delete", "namespace", name, "--timeout=60s", timeout=90).code == 0
    assert "NotFound" in own.kubectl("get", "namespace", name).err


@pytest.mark.covers("workloads", "a job that fails is tried as often as it may")
def test_a_job_that_fails_is_tried_as_often_as_it_may(fast: Cluster, name: str) -> None:
    meta = {"name": name, "namespace": "default"}
    spec = job_spec("exit 7", backoffLimit=1)
    fast.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
    done = fast.kubectl("wait", "--for=condition=Failed", f"job/{name}", "--timeout=20s")
    assert done.code == 0, done.err
    status = fast.get("job", name)["status"]
    assert status["failed"] == 2
    failed = next(c for c in status["conditions"] if c["type"] == "Failed")
    assert failed["reason"] == "BackoffLimitExceeded"


@pytest.mark.covers("workloads", "a cronjob starts a job every minute")
def test_a_cronjob_starts_a_job_every_minute(fast: Cluster, name: str) -> None:
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": job_spec("echo tick")}}
    meta = {"name": name, "namespace": "default"}
    fast.apply({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec})

    def finished() -> list[Obj]:
        return [job for job in items(fast, "jobs", name) if job.get("status", {}).get("succeeded")]

    eventually(lambda: len(finished()) >= 2, timeout=20)
    assert fast.get("cronjob", name)["status"]["lastScheduleTime"]
    assert fast.kubectl("delete", "cronjob", name).code == 0
    eventually(lambda: not items(fast, "jobs,pods", name), timeout=20)
