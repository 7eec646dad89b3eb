"""A running cluster for tests: one of the emulator's own, or any that a kubeconfig names."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).with_name("kubectl")
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster to talk to; `info` is its cluster.json, empty for a foreign one."""

    kubeconfig: Path
    info: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def embedded(self) -> bool:
        return self.info.get("provider") == "embedded"

    def kubectl(self, *arguments: str, stdin: str = "", timeout: float = 60.0) -> Ran:
        """Run the real kubectl against the cluster."""
        done = subprocess.run(
            [str(KUBECTL), *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "TZ": "UTC"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def apply(self, *objects: dict[str, Any], **more: Any) -> Ran:
        """`kubectl apply` of objects; fails the test when it is refused."""
        done = self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects), **more)
        assert done.code == 0, done.err
        return done

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """An object as JSON; fails the test when it is not there."""
        done = self.kubectl("get", kind, name, "-n", namespace, "-o", "json")
        assert done.code == 0, done.err
        obj: dict[str, Any] = json.loads(done.out)
        return obj

    def http(self, *, token: str | None = None) -> httpx.Client:
        """A client of the API itself; `token` replaces the kubeconfig's (empty for none)."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        trust = ssl.create_default_context(cadata=_pem(cluster["certificate-authority-data"]))
        bearer = user.get("token", "") if token is None else token
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return httpx.Client(base_url=cluster["server"], verify=trust, headers=headers, timeout=30.0)


def _pem(data: str) -> str:
    import base64

    return base64.b64decode(data).decode()


@contextmanager
def serve(folder: Path, name: str, *arguments: str) -> Iterator[Cluster]:
    """A cluster of the emulator's own; ended at the end of the block, with its state kept."""
    cluster = start(folder, name, *arguments)
    try:
        yield cluster
    finally:
        stop(cluster)


def start(folder: Path, name: str, *arguments: str) -> Cluster:
    """Start a cluster and wait until it is ready; its log is FOLDER.log."""
    ready = folder / "cluster.json"
    ready.unlink(missing_ok=True)
    log = folder.with_name(f"{folder.name}.log")
    command = [sys.executable, "-m", "infra.embedded", "serve", "--state-dir", str(folder)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, "--name", name, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise RuntimeError(f"the cluster does not start: {log.read_text()[-2000:]}")
        time.sleep(0.01)
    info = json.loads(ready.read_text())
    return Cluster(Path(info["kubeconfig"]), info, process)


def stop(cluster: Cluster) -> None:
    """End a cluster that `start` started."""
    if cluster.process is None:
        return
    cluster.process.terminate()
    try:
        cluster.process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        cluster.process.kill()
        cluster.process.wait()
        raise


def existing(kubeconfig: str) -> Cluster:
    """The cluster that a kubeconfig names."""
    return Cluster(Path(kubeconfig))
