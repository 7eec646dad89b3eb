"""Pods as processes: what they see, how they fail, how they end."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.wait import eventually

IMAGE = "dev.local/hello:v1"


def pod(name: str, namespace: str, script: str = "", **spec: Any) -> dict[str, Any]:
    """A pod of one container that runs a shell script, or with none the image's own command."""
    container: dict[str, Any] = {"name": "c", "image": IMAGE, **spec.pop("container", {})}
    if script:
        container["command"] = ["sh", "-c", script]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [container], **spec},
    }


def once(name: str, namespace: str, script: str, **spec: Any) -> dict[str, Any]:
    return pod(name, namespace, script, restartPolicy="Never", **spec)


def state(cluster: Cluster, name: str, namespace: str) -> dict[str, Any]:
    """The status of the pod's only container."""
    statuses = cluster.get("pod", name, namespace).get("status", {}).get("containerStatuses")
    found: dict[str, Any] = (statuses or [{"state": {}}])[0]
    return found


def waits(cluster: Cluster, name: str, namespace: str, reason: str) -> dict[str, Any]:
    """The container's state once it waits for this reason."""

    def ask() -> dict[str, Any]:
        waiting: dict[str, Any] = state(cluster, name, namespace)["state"].get("waiting", {})
        return waiting if waiting.get("reason") == reason else {}

    return eventually(ask, what=f"{name} waits with {reason}")


def output(cluster: Cluster, name: str, namespace: str) -> str:
    """The log of a pod that has ended well."""
    phase = "jsonpath={.status.phase}=Succeeded"
    done = cluster.kubectl(
        "wait", f"--for={phase}", f"pod/{name}", "-n", namespace, "--timeout=20s"
    )
    logs = cluster.kubectl("logs", name, "-n", namespace)
    assert done.code == 0, done.err + logs.out
    return logs.out


def running(cluster: Cluster, name: str, namespace: str) -> None:
    done = cluster.kubectl(
        "wait", "--for=condition=Ready", f"pod/{name}", "-n", namespace, "--timeout=20s"
    )
    assert done.code == 0, done.err


@pytest.mark.covers("pods", "an image that is not there")
def test_an_image_that_is_not_there(own: Cluster, namespace: str) -> None:
    own.apply(pod("p", namespace, container={"image": "ghcr.io/nobody/none:v1"}))
    waiting = waits(own, "p", namespace, "ImagePullBackOff")
    assert waiting["message"].startswith('Back-off pulling image "ghcr.io/nobody/none:v1"')
    events = own.kubectl("get", "events", "-n", namespace).out
    assert re.search(r"Failed\s+pod/p\s+Error: ErrImagePull", events)


@pytest.mark.covers("pods", "a container that crashes")
def test_a_container_that_crashes(own: Cluster, namespace: str) -> None:
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    container = {**policy, "env": [{"name": "MODE", "value": "exit"}]}
    own.apply(pod("p", namespace, container=container))
    waiting = waits(own, "p", namespace, "CrashLoopBackOff")
    assert waiting["message"].startswith("back-off 10s restarting failed container=c pod=p_")
    found = state(own, "p", namespace)
    last = found["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (3, "Error")
    assert last["message"] == "fatal: cannot start: config missing\n"
    assert found["restartCount"] >= 1
    previous = own.kubectl("logs", "p", "-n", namespace, "--previous").out
    assert previous == "fatal: cannot start: config missing\n"


@pytest.mark.covers("pods", "a command that is not there")
def test_a_command_that_is_not_there(own: Cluster, namespace: str) -> None:
    own.apply(once("p", namespace, "", container={"command": ["/no/such/binary"]}))
    ended = eventually(lambda: state(own, "p", namespace)["state"].get("terminated"))
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert ended["message"].endswith(
        'unable to start container process: exec: "/no/such/binary":'
        " stat /no/such/binary: no such file or directory: unknown"
    )


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"env": [{"name": "A", "value": "x\0y"}]}, "embedded null byte"),
        ({"securityContext": {"runAsUser": 2**40}}, "uid"),
    ],
    ids=["null", "user"],
)
def test_what_no_process_can_have_is_a_start_error(
    own: Cluster, namespace: str, container: dict[str, Any], words: str
) -> None:
    own.apply(once("p", namespace, "exit 0", container=container))
    ended = eventually(lambda: state(own, "p", namespace)["state"].get("terminated"))
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert words in ended["message"]


@pytest.mark.covers("pods", "a missing secret holds the container until it comes")
def test_a_missing_secret_holds_the_container_until_it_comes(own: Cluster, namespace: str) -> None:
    refer = {"env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "late", "key": "k"}}}]}
    own.apply(once("p", namespace, "echo $K", container=refer))
    waiting = waits(own, "p", namespace, "CreateContainerConfigError")
    assert waiting["message"] == 'secret "late" not found'
    secret = {"metadata": {"name": "late", "namespace": namespace}, "stringData": {"k": "geheim"}}
    own.apply({"apiVersion": "v1", "kind": "Secret", **secret})
    assert output(own, "p", namespace) == "geheim\n"


@pytest.mark.covers("pods", "a request that no node has")
def test_a_request_that_no_node_has(own: Cluster, namespace: str) -> None:
    greedy = {"resources": {"requests": {"cpu": "6400"}}}
    own.apply(pod("p", namespace, container=greedy))

    def refused() -> str:
        conditions = own.get("pod", "p", namespace).get("status", {}).get("conditions", [])
        return next((c["message"] for c in conditions if c.get("reason") == "Unschedulable"), "")

    assert eventually(refused).startswith("0/1 nodes are available: 1 Insufficient cpu.")


@pytest.mark.covers("pods", "pods do not share ports")
def test_pods_do_not_share_ports(own: Cluster, namespace: str) -> None:
    if own.info["pod_network"] == "loopback":
        pytest.skip("on loopback pods share ports")
    for name in ("a", "b"):
        own.apply(pod(name, namespace, container={"env": [{"name": "TARGET", "value": name}]}))
    addresses = []
    for name in ("a", "b"):
        running(own, name, namespace)
        addresses.append(own.get("pod", name, namespace)["status"]["podIP"])
    fetch = "import sys, urllib.request as u\n" + "\n".join(
        f"print(u.urlopen('http://{address}:8080/').read())" for address in addresses
    )
    asks = {"image": "python:3", "command": ["python3", "-I", "-S", "-c", fetch]}
    own.apply(once("asks", namespace, "", container=asks))
    assert output(own, "asks", namespace) == "b'Hello a!\\n'\nb'Hello b!\\n'\n"


@pytest.mark.covers("pods", "files at absolute paths are seen by the pod only")
def test_files_at_absolute_paths_are_seen_by_the_pod_only(own: Cluster, namespace: str) -> None:
    binary = base64.b64encode(b"print('agent')").decode()
    config = {
        "metadata": {"name": "agent", "namespace": namespace},
        "binaryData": {"agent.py": binary},
    }
    own.apply({"apiVersion": "v1", "kind": "ConfigMap", **config})
    mounts = [
        {"name": "v", "mountPath": "/agent-of-test"},
        {"name": "e", "mountPath": "/etc/of-test"},
    ]
    container = {
        "image": "dev.local/metrics-echo:dev",
        "command": ["python3", "-I", "-S", "/agent-of-test/agent.py"],
        "volumeMounts": mounts,
    }
    volumes = [{"name": "v", "configMap": {"name": "agent"}}, {"name": "e", "emptyDir": {}}]
    own.apply(once("p", namespace, "", container=container, volumes=volumes))
    assert output(own, "p", namespace) == "agent\n"
    assert not Path("/agent-of-test").exists()
    assert not Path("/etc/of-test").exists()


@pytest.mark.covers("pods", "a mounted config map follows its object")
def test_a_mounted_config_map_follows_its_object(own: Cluster, namespace: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "live", "namespace": namespace},
    }
    own.apply({**config, "data": {"value": "one"}})
    container = {"volumeMounts": [{"name": "v", "mountPath": "/live"}]}
    script = "while ! grep -q two /live/value; do sleep 0.05; done; echo seen"
    volumes = [{"name": "v", "configMap": {"name": "live"}}]
    own.apply(once("p", namespace, script, container=container, volumes=volumes))
    running(own, "p", namespace)
    own.apply({**config, "data": {"value": "two"}})
    assert output(own, "p", namespace) == "seen\n"


@pytest.mark.covers("pods", "writes do not reach the host")
def test_writes_do_not_reach_the_host(own: Cluster, namespace: str) -> None:
    own.apply(once("p", namespace, "touch /root-file-of-test /etc/etc-file-of-test && echo ok"))
    assert output(own, "p", namespace) == "ok\n"
    assert not Path("/root-file-of-test").exists()
    assert not Path("/etc/etc-file-of-test").exists()


@pytest.mark.covers("pods", "names of the cluster resolve in pods")
def test_names_of_the_cluster_resolve_in_pods(own: Cluster, namespace: str) -> None:
    names = ("kubernetes.default.svc", "kourier-internal.kourier-system")
    script = (
        "; ".join(f"getent hosts {name} || exit 1" for name in names) + "; hostname; hostname -f"
    )
    own.apply(once("p", namespace, script))
    lines = output(own, "p", namespace).splitlines()
    assert lines[0].split() == ["10.96.0.1", "kubernetes.default.svc.cluster.local"]
    assert lines[1].split()[1] == "kourier-internal.kourier-system.svc.cluster.local"
    assert lines[2:] == ["p", "p"]


@pytest.mark.covers("pods", "init containers run first and share volumes")
def test_init_containers_run_first_and_share_volumes(own: Cluster, namespace: str) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/shared"}]}
    first = {"name": "i", "image": IMAGE, "command": ["sh", "-c", "echo made > /shared/f"], **mount}
    script = "cat /shared/f"
    more = {"initContainers": [first], "volumes": [{"name": "v", "emptyDir": {}}]}
    own.apply(once("p", namespace, script, container=mount, **more))
    assert output(own, "p", namespace) == "made\n"


@pytest.mark.covers("pods", "an init container that fails fails the pod")
def test_an_init_container_that_fails_fails_the_pod(own: Cluster, namespace: str) -> None:
    first = {"name": "i", "image": IMAGE, "command": ["sh", "-c", "exit 4"]}
    own.apply(once("p", namespace, "echo never", initContainers=[first]))
    eventually(lambda: own.get("pod", "p", namespace)["status"].get("phase") == "Failed")


@pytest.mark.covers("pods", "programs run in a container")
def test_programs_run_in_a_container(own: Cluster, namespace: str) -> None:
    own.apply(pod("p", namespace))
    running(own, "p", namespace)
    told = own.kubectl("exec", "p", "-n", namespace, "--", "sh", "-c", "hostname; echo bad >&2")
    assert (told.code, told.out, told.err) == (0, "p\n", "bad\n")
    assert own.kubectl("exec", "p", "-n", namespace, "--", "sh", "-c", "exit 7").code == 7
    piped = own.kubectl("exec", "-i", "p", "-n", namespace, "--", "cat", stdin="through")
    assert piped.out == "through"


@pytest.mark.covers("pods", "a failing liveness probe restarts")
def test_a_failing_liveness_probe_restarts(own: Cluster, namespace: str) -> None:
    probe = {
        "httpGet": {"path": "/status?code=500", "port": 8080},
        "periodSeconds": 1,
        "timeoutSeconds": 10,
        "failureThreshold": 1,
    }
    own.apply(pod("p", namespace, container={"livenessProbe": probe}))
    eventually(lambda: state(own, "p", namespace).get("restartCount", 0) >= 1, timeout=30)
    events = own.kubectl("get", "events", "-n", namespace).out
    assert "Liveness probe failed: HTTP probe failed with statuscode: 500" in events
    assert "Container c failed liveness probe, will be restarted" in events


@pytest.mark.covers("pods", "readiness follows the probe")
@pytest.mark.parametrize(("path", "ready"), [("/", True), ("/status?code=503", False)])
def test_readiness_follows_the_probe(own: Cluster, namespace: str, path: str, ready: bool) -> None:
    probe = {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1}
    own.apply(pod("p", namespace, container={"readinessProbe": probe}))
    if ready:
        running(own, "p", namespace)
        return
    said = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    eventually(lambda: said in own.kubectl("get", "events", "-n", namespace).out)
    assert state(own, "p", namespace)["ready"] is False


@pytest.mark.covers("pods", "a container may clean up before its end")
def test_a_container_may_clean_up_before_its_end(own: Cluster, namespace: str) -> None:
    script = "trap 'echo cleaning; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    own.apply(pod("p", namespace, script))
    eventually(lambda: own.kubectl("logs", "p", "-n", namespace).out == "up\n")
    follow = "logs", "-f", "p", "-n", namespace
    own.kubectl("delete", "pod", "p", "-n", namespace, "--wait=false")
    assert own.kubectl(*follow).out in ("up\ncleaning\n", "")  # empty: it was gone already
    eventually(lambda: own.kubectl("get", "pod", "p", "-n", namespace).code == 1)


@pytest.mark.covers("pods", "the end of a log")
def test_the_end_of_a_log(own: Cluster, namespace: str) -> None:
    own.apply(once("p", namespace, "for i in 1 2 3; do echo $i; done"))
    assert output(own, "p", namespace) == "1\n2\n3\n"
    assert own.kubectl("logs", "p", "-n", namespace, "--tail=1").out == "3\n"
    stamped = own.kubectl("logs", "p", "-n", namespace, "--timestamps", "--tail=1").out
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z 3\n$", stamped)


def test_a_machine_without_memory_ends_pods_first(own: Cluster, namespace: str) -> None:
    own.apply(once("p", namespace, "cat /proc/self/oom_score_adj"))
    assert output(own, "p", namespace) == "1000\n"
