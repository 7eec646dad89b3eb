"""A cluster in memory whose Jobs are real processes, so that a pod's engine really runs."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.ports import JsonObject, ResourceKind
from probes.jobspec import CONFIG_MAP, EVENT, JOB, JOB_LABEL, POD
from tests.support.fake_kube import FakeKube, Obj

# Runs a program with a clock of the day that is off by so many nanoseconds.
_OFF = """
import runpy, sys, time
ahead, right = int(sys.argv[1]), time.time_ns
time.time_ns = lambda: right() + ahead
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class JobCluster(FakeKube):
    """Runs the engine of a Job at once, with its ConfigMap as files.

    `waiting` is a reason for which pods do not start; `exit_code` replaces the engine's;
    `clock_ahead` (seconds) is how far the clock of the pods' node is off.
    """

    def __init__(
        self,
        folder: Path,
        *,
        waiting: str = "",
        exit_code: int | None = None,
        clock_ahead: float = 0.0,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._waiting = waiting
        self._exit_code = exit_code
        self._clock_ahead = int(clock_ahead * 1e9)
        self._logs: dict[str, str] = {}

    def create(self, kind: ResourceKind, namespace: str, body: JsonObject) -> JsonObject:
        made = super().create(kind, namespace, body)
        if kind == JOB:
            self._start(namespace, dict(made))
        return made

    def logs(self, namespace: str, pod: str, *, container: str = "", tail: int = 200) -> str:
        assert (namespace, container) == ("default", "agent")
        return "".join(self._logs[pod].splitlines(keepends=True)[-tail:])

    def _start(self, namespace: str, job: dict[str, Any]) -> None:
        name = f"{job['metadata']['name']}-x1"
        pod: Obj = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {JOB_LABEL: job["metadata"]["name"]},
            },
            "spec": {"nodeName": "node-1"},
        }
        if self._waiting:
            state = {"waiting": {"reason": self._waiting, "message": "no such image"}}
            pod["status"] = {"phase": "Pending", "containerStatuses": [{"state": state}]}
            event = {
                "metadata": {"name": "e1", "namespace": namespace},
                "involvedObject": {"name": name},
                "reason": "Failed",
                "message": "Failed to pull image",
            }
            self.put(EVENT, event)
        else:
            exit_code = self._run(namespace, job, name)
            ended = {"terminated": {"exitCode": exit_code}}
            pod["status"] = {
                "phase": "Failed" if exit_code else "Succeeded",
                "podIP": "10.0.0.9",
                "containerStatuses": [{"state": ended, "imageID": "dev.local/x@sha256:abc"}],
            }
        self.put(POD, pod)

    def _run(self, namespace: str, job: dict[str, Any], pod: str) -> int:
        spec = job["spec"]["template"]["spec"]
        config = self.get(CONFIG_MAP, namespace, spec["volumes"][0]["configMap"]["name"])
        assert config is not None
        files: dict[str, bytes] = {
            **{name: text.encode() for name, text in config["data"].items()},  # type: ignore[attr-defined]
            **{name: base64.b64decode(text) for name, text in config["binaryData"].items()},  # type: ignore[attr-defined]
        }
        for name, content in files.items():
            (self._folder / name).write_bytes(content)
        command = [sys.executable, *spec["containers"][0]["command"][1:3]]
        command += ["-c", _OFF, str(self._clock_ahead)] if self._clock_ahead else []
        command += [str(self._folder / "agent.pyz"), str(self._folder / "plan.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        self._logs[pod] = done.stdout if self._exit_code is None else "cannot run: no threads\n"
        return done.returncode if self._exit_code is None else self._exit_code
