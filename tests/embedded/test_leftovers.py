"""What remains when a cluster ends: its state, and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster, serve, start, stop
from tests.support.exchange import get
from tests.support.wait import eventually

HELLO = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "hello", "namespace": "default"},
    "spec": {"template": {"spec": {"containers": [{"image": "dev.local/hello:v1"}]}}},
}
# A grandchild in a session of its own: what a mere process group would miss.
STRAY = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "stray", "namespace": "default"},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "dev.local/hello:v1",
                "command": ["sh", "-c", "setsid sleep 4711 & setsid sleep 4711"],
            }
        ]
    },
}


def processes(folder: Path) -> list[str]:
    """Command lines of processes that belong to the cluster in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                parent_folder = (entry / "root").readlink()
            except OSError:
                continue  # it ended meanwhile, or is the kernel's
            if str(folder) in line or "sleep 4711" in line or str(folder) in str(parent_folder):
                found.append(line)
    return found


def links() -> set[str]:
    """Network links of the host that clusters make."""
    shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=False)
    return {line.split(":")[1].strip().split("@")[0] for line in shown.stdout.splitlines()}


def with_hello(cluster: Cluster) -> None:
    cluster.apply(HELLO, STRAY)
    ready(cluster)
    done = cluster.kubectl("wait", "--for=condition=Ready", "pod/stray", "--timeout=20s")
    assert done.code == 0, done.err


def ready(cluster: Cluster) -> None:
    done = cluster.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=20s")
    assert done.code == 0, done.err


def answer(info: dict[str, Any]) -> bytes:
    gateway = (info["gateway"]["address"], info["gateway"]["http"])
    return get(gateway, f"hello.default.{info['domain']}").body


@pytest.mark.covers("robustness", "a killed cluster leaves nothing and comes back")
def test_a_killed_server_leaves_nothing_and_comes_back(tmp_path: Path) -> None:
    folder, before = tmp_path / "state", links()
    cluster = start(folder, "killed")
    try:
        with_hello(cluster)
        uid = cluster.get("ksvc", "hello")["metadata"]["uid"]
        assert len(processes(folder)) >= 2
    finally:
        assert cluster.process is not None
        cluster.process.kill()
        cluster.process.wait()
    eventually(lambda: not processes(folder), what="no process of the cluster")
    eventually(lambda: links() <= before | others(before), what="no link of the cluster")
    with serve(folder, "killed") as again:
        eventually(lambda: answer(again.info) == b"Hello World!\n", what="hello serves again")
        ready(again)
        assert again.get("ksvc", "hello")["metadata"]["uid"] == uid
        assert again.info["domain"] == cluster.info["domain"]
    eventually(lambda: not processes(folder), what="no process after the clean end")


def others(before: set[str]) -> set[str]:
    """Links of clusters that other tests run at the same time."""
    return {link for link in links() - before if link_owner_lives(link)}


def link_owner_lives(link: str) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if link in (entry / "cmdline").read_bytes().decode():
                    return True
            except OSError:
                continue
    return False


@pytest.mark.covers("robustness", "a clean end leaves no process")
def test_a_clean_end_takes_a_moment_and_everything_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    cluster = start(folder, "clean")
    with_hello(cluster)
    stop(cluster)
    assert cluster.process is not None
    assert cluster.process.returncode == 0
    assert not processes(folder)
    assert not (folder / "cluster.json").exists()


@pytest.mark.covers("robustness", "two clusters at the same time")
def test_two_clusters_at_the_same_time(tmp_path: Path) -> None:
    with serve(tmp_path / "a", "one") as one, serve(tmp_path / "b", "two") as two:
        for cluster in (one, two):
            cluster.apply(HELLO)
        for cluster in (one, two):
            ready(cluster)
            assert answer(cluster.info) == b"Hello World!\n"
        assert one.info["gateway"]["address"] != two.info["gateway"]["address"]
        pods = [
            cluster.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.podIP}").out
            for cluster in (one, two)
        ]
        # Without root each cluster's pods live in a user namespace of their own.
        assert pods[0] != pods[1] or one.info["pod_network"] == "userns"


def child(cluster: Cluster, word: str) -> int:
    """The process id of the server's child whose command line has this word."""
    server = int(cluster.info["pid"])
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    found = [p for p in children if word in Path(f"/proc/{p}/cmdline").read_text()]
    return int(found[0])


@pytest.mark.covers("robustness", "an Envoy that died is started again")
def test_envoy_is_started_again(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "revive") as cluster:
        with_hello(cluster)
        os.kill(child(cluster, "envoy"), signal.SIGKILL)
        eventually(lambda: works(cluster), what="the gateway answers again")


def test_envoy_is_killed_while_it_is_started_again(tmp_path: Path) -> None:
    # Its container is restarted with the back-off of any: here a tenth of 10 s, 20 s, 40 s.
    with serve(tmp_path / "state", "again", "--time-scale", "10") as cluster:
        with_hello(cluster)
        killed: set[int] = set()

        def kill() -> bool:
            with contextlib.suppress(IndexError, OSError):  # there is none at this moment
                found = child(cluster, "envoy")
                if found not in killed:
                    os.kill(found, signal.SIGKILL)
                    killed.add(found)
            return len(killed) >= 4

        eventually(kill, timeout=60, what="four killed Envoys")
        eventually(lambda: works(cluster), timeout=60, what="the gateway answers again")
        assert cluster.process is not None
        assert cluster.process.poll() is None


def works(cluster: Cluster) -> bool:
    try:
        return answer(cluster.info) == b"Hello World!\n"
    except OSError:
        return False


@pytest.mark.covers("robustness", "a cluster whose node died ends and says why")
def test_a_cluster_without_its_node_ends_and_says_why(tmp_path: Path) -> None:
    cluster = start(tmp_path / "state", "node")
    assert cluster.process is not None
    os.kill(child(cluster, "infra.embedded.node"), signal.SIGKILL)
    assert cluster.process.wait(20) == 4
    log = (tmp_path / "state.log").read_text()
    assert "error: the node's processes have ended, and all pods with them" in log
    assert "Traceback" not in log
