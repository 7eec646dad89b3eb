"""KServices with the real kubectl, real pods and the real gateway.

Expected values are from the recordings 02-lifecycle, 04-failures and 05-gateway.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.support.cluster import Cluster, serve
from tests.support.wait import eventually

FAST = 20  # cluster seconds per second
IMAGE = "dev.local/hello:v1"
Obj = dict[str, Any]


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of the emulator's own whose clock runs faster."""
    folder = tmp_path_factory.mktemp("fast") / "state"
    name = f"fast-{secrets.token_hex(3)}"
    with serve(folder, name, "--time-scale", str(FAST), "--port", "0") as running:
        yield running


@pytest.fixture
def name() -> str:
    """A KService's name of the case's own."""
    return f"hello-{secrets.token_hex(3)}"


def ksvc(
    name: str,
    env: Mapping[str, str] | None = None,
    *,
    annotations: Mapping[str, str] | None = None,
    traffic: list[Obj] | None = None,
    image: str = IMAGE,
) -> Obj:
    """A minimal KService, as a user writes it."""
    variables = [{"name": k, "value": v} for k, v in (env or {}).items()]
    container = {"image": image, "env": variables}
    template: Obj = {"spec": {"containers": [container]}}
    if annotations:
        template["metadata"] = {"annotations": dict(annotations)}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": template, **({"traffic": traffic} if traffic else {})},
    }


def ready(cluster: Cluster, name: str) -> Obj:
    done = cluster.kubectl("wait", "--for=condition=Ready", f"ksvc/{name}", "--timeout=30s")
    assert done.out == f"service.serving.knative.dev/{name} condition met\n", done.err
    return cluster.get("ksvc", name)


def condition(cluster: Cluster, kind: str, name: str, type: str = "Ready") -> tuple[str, str, str]:
    for entry in cluster.get(kind, name).get("status", {}).get("conditions", ()):
        if entry["type"] == type:
            return entry["status"], entry.get("reason", ""), entry.get("message", "")
    return "", "", ""


def ask(cluster: Cluster, host: str, path: str = "/") -> httpx.Response:
    """A request through the gateway."""
    gateway = cluster.info["gateway"]
    url = f"http://{gateway['address']}:{gateway['http']}{path}"
    return httpx.get(url, headers={"host": host}, timeout=20.0)


def host_of(service: Obj) -> str:
    url: str = service["status"]["url"]
    return url.removeprefix("http://")


@pytest.mark.covers("Knative lifecycle", "apply wait request delete")
def test_apply_wait_request_delete(own: Cluster, name: str) -> None:
    own.apply(ksvc(name, {"TARGET": "World"}))
    service = ready(own, name)
    assert service["status"]["observedGeneration"] == service["metadata"]["generation"] == 1
    assert service["status"]["latestReadyRevisionName"] == f"{name}-00001"
    answer = ask(own, host_of(service))
    assert (answer.status_code, answer.text.strip()) == (200, "Hello World!")
    done = own.kubectl("delete", "ksvc", name)
    assert done.out == f'service.serving.knative.dev "{name}" deleted from default namespace\n'
    eventually(lambda: ask(own, host_of(service)).status_code == 404, timeout=5)


@pytest.mark.covers("Knative lifecycle", "everything that a kservice owns goes with it")
def test_everything_that_a_kservice_owns_goes_with_it(own: Cluster, name: str) -> None:
    own.apply(ksvc(name))
    ready(own, name)
    own.kubectl("delete", "ksvc", name)
    kinds = "configuration,route,revision,deployment,replicaset,podautoscaler,kingress,sks,metric"
    label = f"serving.knative.dev/service={name}"

    def gone() -> bool:
        done = own.kubectl("get", f"{kinds},endpoints,services", "-l", label, "-o", "name")
        return done.code == 0 and done.out == ""

    eventually(gone, timeout=10)


@pytest.mark.covers("Knative lifecycle", "an update gives a second revision")
def test_an_update_gives_a_second_revision(own: Cluster, name: str) -> None:
    own.apply(ksvc(name, {"TARGET": "World"}))
    ready(own, name)
    own.apply(ksvc(name, {"TARGET": "Kubernetes"}))
    service = ready(own, name)
    assert service["status"]["latestReadyRevisionName"] == f"{name}-00002"
    assert service["status"]["observedGeneration"] == 2
    assert ask(own, host_of(service)).text.strip() == "Hello Kubernetes!"


@pytest.mark.covers("Knative lifecycle", "a broken update keeps the old revision serving")
def test_a_broken_update_keeps_the_old_revision_serving(own: Cluster, name: str) -> None:
    own.apply(ksvc(name, {"TARGET": "World"}))
    service = ready(own, name)
    own.apply(ksvc(name, image="registry.klab.local:5000/nope:v1"))
    eventually(lambda: condition(own, "ksvc", name)[:2] == ("False", "RevisionFailed"), timeout=10)
    assert condition(own, "ksvc", name, "RoutesReady") == ("True", "", "")
    assert ask(own, host_of(service)).text.strip() == "Hello World!"


@pytest.mark.covers("Knative lifecycle", "traffic is split and tags have hosts")
def test_traffic_is_split_and_tags_have_hosts(own: Cluster, name: str) -> None:
    own.apply(ksvc(name, {"TARGET": "One"}))
    ready(own, name)
    traffic: list[Obj] = [
        {"revisionName": f"{name}-00001", "percent": 80, "tag": "stable"},
        {"latestRevision": True, "percent": 20, "tag": "canary"},
    ]
    own.apply(ksvc(name, {"TARGET": "Two"}, traffic=traffic))
    service = ready(own, name)
    hosts = {t["tag"]: t["url"].removeprefix("http://") for t in service["status"]["traffic"]}
    assert ask(own, hosts["stable"]).text.strip() == "Hello One!"
    assert ask(own, hosts["canary"]).text.strip() == "Hello Two!"
    answers = [ask(own, host_of(service)).text.strip() for _ in range(100)]
    assert set(answers) == {"Hello One!", "Hello Two!"}
    assert 60 <= answers.count("Hello One!") <= 95


@pytest.mark.covers("Knative lifecycle", "a cluster local service is unknown outside")
def test_a_cluster_local_service_is_unknown_outside(own: Cluster, name: str) -> None:
    service = ksvc(name)
    service["metadata"]["labels"] = {"networking.knative.dev/visibility": "cluster-local"}
    own.apply(service)
    url = ready(own, name)["status"]["url"]
    assert url == f"http://{name}.default.svc.cluster.local"
    assert ask(own, f"{name}.default.{own.info['domain']}").status_code == 404


@pytest.mark.covers("Knative lifecycle", "a deployment rolls its pods")
def test_a_deployment_rolls_its_pods(own: Cluster, name: str) -> None:
    labels = {"app": name}
    container = {"name": "app", "image": IMAGE, "ports": [{"containerPort": 8080}]}
    deployment: Obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    own.apply(deployment)
    available = ("wait", "--for=condition=Available", f"deployment/{name}", "--timeout=30s")
    assert own.kubectl(*available).code == 0
    container["env"] = [{"name": "TARGET", "value": "Two"}]
    own.apply(deployment)

    def rolled() -> bool:
        status = own.get("deployment", name)["status"]
        counts = [status.get(k) for k in ("replicas", "updatedReplicas", "availableReplicas")]
        return status["observedGeneration"] == 2 and counts == [2, 2, 2]

    eventually(rolled, timeout=30)
    assert own.kubectl("delete", "deployment", name).code == 0


@pytest.mark.covers("Knative lifecycle", "a job runs to completion")
def test_a_job_runs_to_completion(own: Cluster, name: str) -> None:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", "echo done"]}
    own.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
        }
    )
    done = own.kubectl("wait", "--for=condition=Complete", f"job/{name}", "--timeout=30s")
    assert done.code == 0, done.err
    assert own.kubectl("logs", f"job/{name}").out == "done\n"
    assert own.get("job", name)["status"]["succeeded"] == 1


@pytest.mark.covers("Knative lifecycle", "a revision that cannot start fails at its deadline")
@pytest.mark.parametrize(
    ("env", "reason", "message"),
    [
        ({"MODE": "exit"}, "ExitCode3", "Container failed with: fatal: cannot start"),
        ({"FORCE_PORT": "9999"}, "ProgressDeadlineExceeded", "timed out progressing"),
    ],
)
def test_a_revision_that_cannot_start_fails_at_its_deadline(
    fast: Cluster, name: str, env: dict[str, str], reason: str, message: str
) -> None:
    deadline = {"serving.knative.dev/progress-deadline": "30s"}
    fast.apply(ksvc(name, env, annotations=deadline))

    def failed() -> bool:
        found = condition(fast, "revision", f"{name}-00001")
        return found[:2] == ("False", reason) and message in found[2]

    eventually(failed, timeout=20)
    missing = f'Configuration "{name}" does not have any ready Revision.'
    eventually(
        lambda: condition(fast, "ksvc", name) == ("False", "RevisionMissing", missing), timeout=5
    )


@pytest.mark.covers("Knative lifecycle", "a revision without requests goes to zero and comes back")
def test_a_revision_without_requests_goes_to_zero_and_comes_back(fast: Cluster, name: str) -> None:
    fast.apply(ksvc(name, {"TARGET": "World"}))
    service = ready(fast, name)
    idle = ("False", "NoTraffic", "The target is not receiving traffic.")
    eventually(lambda: condition(fast, "kpa", f"{name}-00001") == idle, timeout=20)
    assert condition(fast, "ksvc", name)[0] == "True"
    eventually(
        lambda: fast.get("deployment", f"{name}-00001-deployment")["spec"]["replicas"] == 0,
        timeout=10,
    )
    answer = ask(fast, host_of(service))
    assert (answer.status_code, answer.text.strip()) == (200, "Hello World!")
    assert fast.get("deployment", f"{name}-00001-deployment")["spec"]["replicas"] == 1
