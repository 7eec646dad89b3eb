"""kubectl logs, exec and run against pods that are processes."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
from typing import Any

import pytest

from tests.support.cluster import KUBECTL, Cluster
from tests.support.wait import eventually

SILENCE = 30.0  # seconds without a word from kubectl
SCRIPT = "for i in 1 2 3; do echo line $i; done; exec sleep 100"


@pytest.fixture
def pod(own: Cluster, namespace: str) -> list[str]:
    """The arguments that name the namespace of a running pod `p` with two containers."""
    container = {"image": "busybox", "command": ["sh", "-c", SCRIPT]}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "one", **container}, {"name": "two", **container}],
    }
    meta = {"name": "p", "namespace": namespace}
    own.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    waited = own.kubectl("wait", "--for=condition=Ready", "pod/p", "-n", namespace)
    assert waited.code == 0, waited.err
    return ["-n", namespace]


@pytest.mark.covers("kubectl", "logs: --tail, -c, --timestamps")
@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["-c", "one"], ["line 1", "line 2", "line 3"]),
        (["-c", "one", "--tail=1"], ["line 3"]),
        (["-c", "two", "--limit-bytes=6"], ["line 1"]),
    ],
)
def test_logs(own: Cluster, pod: list[str], arguments: list[str], lines: list[str]) -> None:
    eventually(lambda: "line 3" in own.kubectl("logs", "p", *pod, "-c", "two").out)
    eventually(lambda: "line 3" in own.kubectl("logs", "p", *pod, "-c", "one").out)
    assert own.kubectl("logs", "p", *pod, *arguments).out.split("\n")[: len(lines)] == lines


@pytest.mark.covers("kubectl", "logs -f follows until the pod is gone")
def test_logs_follow(own: Cluster, pod: list[str]) -> None:
    eventually(lambda: "line 3" in own.kubectl("logs", "p", *pod, "-c", "one").out)
    own.kubectl("delete", "pod", "p", *pod, "--wait=false")
    followed = own.kubectl("logs", "-f", "p", *pod, "-c", "one", timeout=20)
    assert followed.code in (0, 1)  # gone already, or followed to its end


def test_logs_of_a_container_that_is_not_there(own: Cluster, pod: list[str]) -> None:
    done = own.kubectl("logs", "p", *pod, "-c", "three")
    assert (done.code, done.err) == (
        1,
        "error: container three is not valid for pod p out of: one, two\n",
    )


@pytest.mark.covers("kubectl", "exec: output, input, exit code")
def test_exec(own: Cluster, pod: list[str]) -> None:
    done = own.kubectl("exec", "p", *pod, "-c", "one", "--", "sh", "-c", "echo out; echo err >&2")
    assert (done.code, done.out, done.err) == (0, "out\n", "err\n")
    done = own.kubectl("exec", "-i", "p", *pod, "-c", "one", "--", "cat", stdin="to and fro")
    assert (done.code, done.out) == (0, "to and fro")
    done = own.kubectl("exec", "p", *pod, "-c", "one", "--", "sh", "-c", "exit 7")
    assert (done.code, done.err) == (7, "command terminated with exit code 7\n")


@pytest.mark.covers("kubectl", "exec -t: a terminal, its size, end of input, exit code")
def test_exec_with_a_terminal(own: Cluster, pod: list[str]) -> None:
    script = "test -t 0 && test -t 1 && tty; cat; exit 3"
    argv = ["exec", "-i", "-t", "p", *pod, "-c", "one", "--", "sh", "-c", script]
    code, screen = in_terminal(own, argv, rows=31, columns=97, typed=b"to and fro\n\x04")
    assert "/dev/pts/" in screen
    assert screen.count("to and fro") == 2  # the terminal's echo, and cat
    assert code == 3
    argv[-1] = "while test \"$(stty size)\" != '31 97'; do sleep 0.05; done; echo as wide as mine"
    code, screen = in_terminal(own, argv, rows=31, columns=97, typed=b"")
    assert (code, "as wide as mine" in screen) == (0, True)


def in_terminal(
    cluster: Cluster, argv: list[str], *, rows: int, columns: int, typed: bytes
) -> tuple[int, str]:
    """Run kubectl in a terminal of this size; returns its exit code and what the screen shows.

    What is typed is typed when the program has said something: before, the terminal is not yet
    the program's.
    """
    near, far = os.openpty()
    termios.tcsetwinsize(far, (rows, columns))
    process = subprocess.Popen(
        [str(KUBECTL), *argv],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        stdin=far,
        stdout=far,
        stderr=far,
    )
    os.close(far)
    screen = b""
    try:
        while select.select([near], [], [], SILENCE)[0] and (data := os.read(near, 4096)):
            screen += data
            if typed and b"/dev/pts/" in screen:
                os.write(near, typed)
                typed = b""
    except OSError:
        pass  # EIO: kubectl has closed the terminal
    finally:
        os.close(near)
    return process.wait(SILENCE), screen.decode()


@pytest.mark.covers("pods", "a client in a pod finds the API server, as its service account")
def test_an_in_cluster_client(own: Cluster, namespace: str) -> None:
    own.apply(client_pod(namespace), *may_read_pods(namespace))
    waited = own.kubectl("wait", "--for=condition=Ready", "pod/client", "-n", namespace)
    assert waited.code == 0, waited.err
    done = own.kubectl(
        "exec", "-i", "client", "-n", namespace, "--", sys.executable, "-", stdin=IN_CLUSTER
    )
    assert (done.out.split(), done.code) == (["client", "403"], 0), done.err


IN_CLUSTER = """
from kubernetes import client, config
config.load_incluster_config()
space = open("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read()
api = client.CoreV1Api()
print(*[pod.metadata.name for pod in api.list_namespaced_pod(space).items])
try:
    api.list_namespaced_secret(space)
except client.ApiException as error:
    print(error.status)
"""


def client_pod(namespace: str) -> dict[str, Any]:
    container = {"name": "c", "image": "busybox", "command": ["sleep", "600"]}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    meta = {"name": "client", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def may_read_pods(namespace: str) -> tuple[dict[str, Any], ...]:
    """A role, and that the default account has it."""
    group = "rbac.authorization.k8s.io"
    meta = {"name": "readers", "namespace": namespace}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    subjects = [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}]
    reference = {"apiGroup": group, "kind": "Role", "name": "readers"}
    common = {"apiVersion": f"{group}/v1", "metadata": meta}
    return (
        {**common, "kind": "Role", "rules": rules},
        {**common, "kind": "RoleBinding", "subjects": subjects, "roleRef": reference},
    )


def test_exec_of_a_program_that_is_not_there(own: Cluster, pod: list[str]) -> None:
    done = own.kubectl("exec", "p", *pod, "-c", "one", "--", "no-such-program")
    assert done.code != 0
    assert "exec failed" in done.err


def test_exec_into_an_absent_pod(own: Cluster) -> None:
    done = own.kubectl("exec", "absent", "--", "true")
    assert (done.code, done.err) == (1, 'Error from server (NotFound): pods "absent" not found\n')
