"""Pods as controllers make and count them, and the pods of a revision."""

import json
from typing import Any

import pytest

from infra.embedded.admission.pods import admitted_spec
from infra.embedded.controllers.serving import pod_spec, queue_proxy
from infra.embedded.controllers.serving.digests import pinned, registry_of
from infra.embedded.controllers.workloads import pods, replicaset

Obj = dict[str, Any]


def pod(name: str = "p", *, phase: str = "Running", ready: str | None = None, **meta: Any) -> Obj:
    entry = {"type": "Ready", "status": "True", "lastTransitionTime": ready}
    return {
        "metadata": {"name": name, "resourceVersion": "1", **meta},
        "spec": {"nodeName": "node"},
        "status": {"phase": phase, "conditions": [entry] if ready else []},
    }


EARLY, LATE = "2026-11-22T08:00:00Z", "2026-11-22T09:00:00Z"


@pytest.mark.parametrize(
    ("doomed", "spared"),
    [
        ({**pod(phase="Pending"), "spec": {}}, pod(phase="Pending")),
        (pod(phase="Pending"), pod()),
        (pod(), pod(ready=EARLY)),
        (pod(ready=LATE), pod(ready=EARLY)),
        (pod(ready=EARLY, resourceVersion="9"), pod(ready=EARLY)),
        (
            pod(ready=EARLY, annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}),
            pod(ready=LATE),
        ),
    ],
    ids=["unassigned", "pending", "unready", "ready later", "younger", "cheaper"],
)
def test_which_pod_goes_first(doomed: Obj, spared: Obj) -> None:
    doomed, spared = {**doomed, "id": "doomed"}, {**spared, "id": "spared"}
    assert replicaset.surplus([spared, doomed], 1) == [doomed]
    assert replicaset.surplus([doomed, spared], 1) == [doomed]
    assert replicaset.surplus([doomed, spared], 2) == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pod(), True),
        (pod(phase="Succeeded"), False),
        (pod(phase="Failed"), False),
        (pod(deletionTimestamp=EARLY), False),
    ],
)
def test_active(found: Obj, expected: bool) -> None:
    assert pods.is_active(found) is expected


def resources(**groups: dict[str, str]) -> Obj:
    return {"containers": [{"resources": groups}]}


FULL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (resources(), "BestEffort"),
        ({"containers": [{}]}, "BestEffort"),
        (resources(requests={"cpu": "25m"}), "Burstable"),
        (resources(limits={"cpu": "1"}), "Burstable"),
        (resources(limits=FULL), "Guaranteed"),
        (resources(limits=FULL, requests=FULL), "Guaranteed"),
        (resources(limits=FULL, requests={"cpu": "500m"}), "Burstable"),
    ],
)
def test_quality_of_service(spec: Obj, expected: str) -> None:
    assert pods.qos_class(spec) == expected


def test_an_admitted_pod_has_account_token_and_tolerations() -> None:
    spec = admitted_spec({"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]})
    assert (spec["serviceAccountName"], spec["priority"]) == ("default", 0)
    assert [t["key"] for t in spec["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    volume = spec["volumes"][0]["name"]
    for group in ("containers", "initContainers"):
        assert [m["name"] for m in spec[group][0]["volumeMounts"]] == [volume]


def test_no_token_where_none_is_wanted() -> None:
    spec = {"containers": [{"name": "a"}], "automountServiceAccountToken": False}
    assert "volumes" not in admitted_spec(spec)


def container(**fields: Any) -> Obj:
    return {"name": "user-container", "image": "dev.local/hello:v1", **fields}


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        # golden 02-lifecycle/ready-deployment
        ({"successThreshold": 1, "tcpSocket": {"port": 0}},
         {"tcpSocket": {"port": 8080, "host": "127.0.0.1"}, "successThreshold": 1}),
        (None, {"tcpSocket": {"port": 8080, "host": "127.0.0.1"}, "successThreshold": 1}),
        ({"httpGet": {"path": "/healthz"}, "periodSeconds": 3},
         {"httpGet": {"path": "/healthz", "port": 8080, "host": "127.0.0.1", "scheme": "HTTP"},
          "periodSeconds": 3}),
        ({"httpGet": {"port": 9000, "httpHeaders": [{"name": "a", "value": "b"}]}},
         {"httpGet": {"path": "/", "port": 9000, "host": "127.0.0.1", "scheme": "HTTP",
                      "httpHeaders": [{"name": "a", "value": "b"}]}}),
        ({"exec": {"command": ["true"]}}, {"tcpSocket": {"port": 8080, "host": "127.0.0.1"}}),
        ({"grpc": {"service": "x"}}, {"grpc": {"service": "x", "port": 8080}}),
    ],
)  # fmt: skip
def test_the_users_probe_goes_to_the_loopback_address(probe: Obj | None, expected: Obj) -> None:
    serving = container(**({"readinessProbe": probe} if probe else {}))
    assert json.loads(queue_proxy.user_probe(serving)) == expected


def revision(*containers: Obj, **spec: Any) -> Obj:
    labels = {"serving.knative.dev/configuration": "hello", "serving.knative.dev/service": "hello"}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {"name": "hello-00001", "namespace": "default", "uid": "u", "labels": labels},
        "spec": {"containers": list(containers), "timeoutSeconds": 300, **spec},
    }


SETTINGS = pod_spec.Settings(
    queue_image="dev.local/knative/queue:1.18",
    queue_resources={"requests": {"cpu": "25m"}},
    progress_deadline=600,
    initial_scale=1,
)


def environment(found: Obj) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in found["env"]}


def test_the_users_container_knows_where_it_runs() -> None:
    spec = pod_spec.pod_spec(revision(container(env=[{"name": "A", "value": "b"}])), SETTINGS)
    user, queue = spec["containers"]
    assert environment(user) == {
        "A": "b",
        "PORT": "8080",
        "K_REVISION": "hello-00001",
        "K_CONFIGURATION": "hello",
        "K_SERVICE": "hello",
    }
    assert user["ports"] == [{"name": "user-port", "containerPort": 8080, "protocol": "TCP"}]
    assert environment(queue)["USER_PORT"] == "8080"
    assert spec["terminationGracePeriodSeconds"] == 300


def test_a_port_of_the_users_choice() -> None:
    serving = container(ports=[{"containerPort": 9000, "name": "h2c"}])
    made = revision(serving)
    user, queue = pod_spec.pod_spec(made, SETTINGS)["containers"]
    assert (environment(user)["PORT"], environment(queue)["USER_PORT"]) == ("9000", "9000")
    assert user["ports"][0]["name"] == "user-port"
    assert pod_spec.protocol(made) == "h2c"


def test_only_one_of_several_containers_serves() -> None:
    side = {"name": "side", "image": "busybox"}
    made = revision(side, container(ports=[{"containerPort": 8080}]))
    sidecar, user, _ = pod_spec.pod_spec(made, SETTINGS)["containers"]
    assert "PORT" not in environment(sidecar)
    assert "ports" not in sidecar
    assert environment(user)["PORT"] == "8080"


@pytest.mark.parametrize(
    ("probe", "kept"),
    [({"httpGet": {"path": "/"}}, False), ({"exec": {"command": ["true"]}}, True)],
)
def test_only_exec_probes_stay_with_the_kubelet(probe: Obj, kept: bool) -> None:
    user = pod_spec.user_container(
        made := revision(container(readinessProbe=probe)), made["spec"]["containers"][0]
    )
    assert ("readinessProbe" in user) is kept


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("hello", "Always"),
        ("hello:latest", "Always"),
        ("registry:5000/hello", "Always"),
        ("hello:v1", "IfNotPresent"),
        ("hello@sha256:0", "IfNotPresent"),
    ],
)
def test_pull_policy(image: str, expected: str) -> None:
    assert pod_spec.pull_policy(image) == expected


@pytest.mark.parametrize(
    ("image", "registry", "with_digest"),
    [
        ("hello", "index.docker.io", "index.docker.io/library/hello@sha256:1"),
        ("user/hello:v1", "index.docker.io", "index.docker.io/user/hello@sha256:1"),
        ("ghcr.io/knative/hello:latest", "ghcr.io", "ghcr.io/knative/hello@sha256:1"),
        ("localhost:5000/hello:v1", "localhost:5000", "localhost:5000/hello@sha256:1"),
        ("dev.local/hello:v1", "dev.local", "dev.local/hello@sha256:1"),
    ],
)
def test_names_of_images(image: str, registry: str, with_digest: str) -> None:
    assert registry_of(image) == registry
    assert pinned(image, "sha256:1") == with_digest


KUBELET = {"name": "K-Kubelet-Probe", "value": "queue"}


@pytest.mark.parametrize("kind", ["livenessProbe", "startupProbe"])
@pytest.mark.parametrize(
    ("given", "made"),
    [
        (
            {"httpGet": {"path": "/"}},
            {"httpGet": {"path": "/", "port": 9, "httpHeaders": [KUBELET]}},
        ),
        ({"tcpSocket": {"port": 0}}, {"tcpSocket": {"port": 9}}),
        ({"tcpSocket": {"port": 7}}, {"tcpSocket": {"port": 7}}),
        ({"grpc": {}}, {"grpc": {"port": 9}}),
        ({"exec": {"command": ["true"]}}, {"exec": {"command": ["true"]}}),
    ],
)
def test_probes_have_the_apps_port_unless_they_name_one(kind: str, given: Obj, made: Obj) -> None:
    """Without it the kubelet asked port 0, and restarted the app for ever."""
    container = {"name": "c", "image": "i", "ports": [{"containerPort": 9}], kind: given}
    revision = {"metadata": {"name": "r", "namespace": "n"}, "spec": {"containers": [container]}}
    assert pod_spec.user_container(revision, container)[kind] == made
