"""kubectl logs, exec and run against pods that are processes."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.wait import eventually

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


def test_exec_of_a_program_that_is_not_there(own: Cluster, pod: list[str]) -> None:
    done = own.kubectl("exec", "p", *pod, "-c", "one", "--", "no-such-program")
    assert done.code != 0
    assert "exec failed" in done.err


def test_exec_into_an_absent_pod(own: Cluster) -> None:
    done = own.kubectl("exec", "absent", "--", "true")
    assert (done.code, done.err) == (1, 'Error from server (NotFound): pods "absent" not found\n')
