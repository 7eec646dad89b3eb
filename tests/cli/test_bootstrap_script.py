"""The script is a thin wrapper: it passes its options on and exits as vpm does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.standin import Call, install

SCRIPT = Path(__file__).parents[2] / "scripts" / "p2_bootstrap_kind_knative.sh"
INFO = ("info", "--format", "{{.ServerVersion}}")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    environment |= {"XDG_STATE_HOME": str(folder), "KIND_BIN": str(folder / "kind")}
    return subprocess.run(
        [str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 4, "no Docker engine answers: Cannot connect"),
        (("--nothing",), 2, "No such option"),
        (("--http-port", "http"), 4, "no Docker engine answers"),
    ],
)
def test_without_an_engine(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    install(tmp_path, "docker", [Call(INFO, stderr="Cannot connect\n", exit=1)])
    done = run(tmp_path, *arguments)
    assert done.returncode == code
    assert words in done.stderr


def test_options_are_passed_on(tmp_path: Path) -> None:
    install(tmp_path, "docker", [Call(INFO, stdout="28.2.2\n")])
    install(
        tmp_path,
        "kind",
        [
            Call(("version",), stdout="kind v0.29.0 go1.24.2 linux/amd64\n"),
            Call(("get", "clusters"), stderr="No kind clusters found.\n"),
        ],
    )
    done = run(tmp_path, "--kind-image", "kindest/node:v1.25.3")
    assert done.returncode == 4
    assert "kindest/node:v1.25.3 is Kubernetes 1.25.3; Knative 1.18 needs 1.31" in done.stderr
    assert not (tmp_path / "vpm" / "kind" / "vpm-mini" / "created.json").exists()
