"""The cluster as a process: start, end, kill -9, one state directory for one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import ROOT, serve, start, stop

OPTIONS: dict[str, Any] = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 30}
pytestmark = pytest.mark.skipif(
    bool(os.environ.get("VPM_TEST_KUBECONFIG")), reason="starts clusters of its own"
)


@pytest.mark.covers("process", "objects, addresses and versions survive kill -9")
def test_state_survives_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first = start(folder, "durable")
    try:
        first.kubectl("create", "configmap", "kept", "--from-literal=a=b")
        before = first.get("configmap", "kept")
        uid = first.get("namespace", "kube-system")["metadata"]["uid"]
        assert first.process is not None
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
    finally:
        stop(first)
    with serve(folder, "durable") as again:
        assert again.get("configmap", "kept") == before
        assert again.get("namespace", "kube-system")["metadata"]["uid"] == uid
        assert again.info["domain"] == first.info["domain"]
        made = again.kubectl(
            "create", "configmap", "new", "-o", "jsonpath={.metadata.resourceVersion}"
        )
        assert int(made.out) > int(before["metadata"]["resourceVersion"])


@pytest.mark.covers("process", "a second process for the same state is refused")
def test_one_process_for_one_state(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with serve(folder, "single") as running:
        command = [sys.executable, "-m", "infra.embedded", "serve", "--state-dir", str(folder)]
        second = subprocess.run([*command, "--name", "single"], check=False, **OPTIONS)
        assert second.returncode == 2
        assert second.stderr == f"error: a cluster is already running in {folder}\n"
        assert running.kubectl("get", "ns", "default").code == 0


@pytest.mark.covers("process", "SIGTERM ends it and takes cluster.json away; --ephemeral all")
@pytest.mark.parametrize("ephemeral", [False, True])
def test_a_clean_end(tmp_path: Path, ephemeral: bool) -> None:
    folder = tmp_path / "state"
    with serve(folder, "clean", *(["--ephemeral"] if ephemeral else [])) as running:
        assert running.info["pid"] == (running.process.pid if running.process else None)
    assert running.process is not None
    assert running.process.returncode == 0
    assert not (folder / "cluster.json").exists()
    assert folder.exists() is not ephemeral


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--address", "10.0.0.1"], "'10.0.0.1' is not a loopback address"),
        (["--port", "99999"], "'99999' is not a port"),
        (["--time-scale", "0"], "'0' is not a scale"),
        (["--images", "/absent.yaml"], "'/absent.yaml' is not a file"),
    ],
)
def test_bad_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "infra.embedded", "serve", "--state-dir", str(tmp_path / "s")]
    done = subprocess.run([*command, "--name", "x", *arguments], check=False, **OPTIONS)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_torn_file_of_objects_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "state.db").write_bytes(bytes(range(256)) * 20)
    command = [sys.executable, "-m", "infra.embedded", "serve", "--state-dir", str(folder)]
    done = subprocess.run([*command, "--name", "x"], check=False, **OPTIONS)
    assert done.returncode == 4
    assert f"error: the cluster's objects in {folder}/state.db cannot be read" in done.stderr
    assert "move it away" in done.stderr
    assert "Traceback" not in done.stderr
