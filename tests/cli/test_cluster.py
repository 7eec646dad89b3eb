"""`vpm cluster`, with the real embedded cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.clusters.embedded_process import starting
from infra.clusters.state import ClusterFolder, CreatedCluster, write_atomically
from infra.embedded.faults.model import PARAMETERS
from tests.support.wait import eventually

VPM = (sys.executable, "-c", "from harness.cli.main import main; main()")
Vpm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def vpm(tmp_path: Path) -> Iterator[Vpm]:
    """Runs vpm with a home of its own, and ends what it kept."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "k")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*VPM, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=120,
        )

    yield run
    kept = list(tmp_path.glob("vpm/*/*/created.json"))
    for row in json.loads(run("cluster", "list", "--json").stdout) if kept else ():
        run("cluster", "down", row["name"], "--confirm", row["uid"])


def test_a_start_is_cancelled_by_down(vpm: Vpm, tmp_path: Path) -> None:
    """The run that starts it is told, and nothing is left."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "k")}
    up = subprocess.Popen(
        [*VPM, "cluster", "up", "--cluster", "embedded", "early"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    state = tmp_path / "vpm" / "embedded" / "early" / "data"
    try:
        server = eventually(lambda: starting(state), timeout=60, what="a server that starts")
        assert server is not None
        server.signal(signal.SIGSTOP)  # however fast the machine is, the start does not end
        down = vpm("cluster", "down", "early")
        _, said = up.communicate(timeout=60)
    finally:
        up.kill()
        up.wait()
    assert down.returncode == 0, down.stderr
    assert "ending the embedded cluster early" in down.stderr
    assert up.returncode == 4, said
    assert "Traceback" not in said
    assert not state.exists()
    assert vpm("cluster", "list").stdout == "no cluster is kept\n"
    named = [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(state) in _text(p)]
    assert named == []


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""  # it has ended meanwhile


def test_a_cluster_is_started_found_again_and_ended(vpm: Vpm) -> None:
    up = vpm("cluster", "up", "--cluster", "embedded", "--json")
    assert up.returncode == 0, up.stderr
    facts = json.loads(up.stdout)
    assert facts["emulator"] is True
    assert facts["context"] == "embedded-vpm-mini"
    again = json.loads(vpm("cluster", "up", "--cluster", "embedded", "--json").stdout)
    assert again == facts
    status = json.loads(vpm("cluster", "status", "--json").stdout)
    assert (status["state"], status["uid"]) == ("running", facts["uid"])
    assert status["pod network"].partition(":")[0] in ("netns", "userns", "loopback")
    assert status["gateway"] == facts["gateway"]
    assert vpm("cluster", "kubeconfig").stdout.strip() == facts["kubeconfig"]
    named = vpm("cluster", "kubeconfig", "--name", "vpm-mini")
    assert named.stdout.strip() == facts["kubeconfig"]
    assert "vpm-mini" in vpm("cluster", "logs").stdout
    activator = vpm("cluster", "logs", "--of", "activator", "--lines", "1")
    assert json.loads(activator.stdout)["logger"] == "activator"
    assert vpm("cluster", "logs", "--of", "gateway").returncode == 0
    by_context = vpm(
        "cluster", "up", "--cluster", "existing", "--context", facts["context"],
        "--kubeconfig", facts["kubeconfig"], "--json",
    )  # fmt: skip
    assert json.loads(by_context.stdout)["emulator"] is True
    down = vpm("cluster", "down")
    assert down.returncode == 0, down.stderr
    assert vpm("cluster", "list").stdout == "no cluster is kept\n"
    assert not Path(facts["kubeconfig"]).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("down", "nothing"), 2, "keeps no cluster named nothing"),
        (("status",), 2, "vpm cluster up starts one"),
        (("up", "--cluster", "existing"), 2, "needs a context by name"),
        (("up", "--cluster", "existing", "--context", "nope"), 4, "there is no context 'nope'"),
        (("up", "--cluster", "embedded", "--kind-image", "x"), 2, "no option image"),
        (("up", "--cluster", "nothing"), 2, "nothing"),
        (("status", "--name", "nothing"), 2, "keeps no cluster named nothing"),
        (("status", "one", "--name", "other"), 2, "two names are given"),
        (("fault", "add", "gateway-down", "--name", "none"), 2, "keeps no cluster"),
    ],
)
def test_bad_usage(vpm: Vpm, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = vpm("cluster", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_record_that_cannot_be_read_does_not_hide_the_others(vpm: Vpm, tmp_path: Path) -> None:
    record = CreatedCluster(
        "embedded", "good", "dev", str(tmp_path / "k"), "uid", "owner", "2026-01-02T03:04:05+00:00"
    )
    home = tmp_path / "vpm"
    ClusterFolder.of("embedded", "good", home=home).remember(record)
    damaged = ClusterFolder.of("embedded", "bad", home=home).path / "created.json"
    write_atomically(damaged, "{")
    try:
        listed = vpm("cluster", "list")
        named = [vpm("cluster", "kubeconfig", name) for name in ("good", "bad")]
    finally:
        damaged.unlink()
        ClusterFolder.of("embedded", "good", home=home).forget()
    assert listed.stdout == "good  embedded  stopped  dev\n"
    assert f"error: {damaged} is not a record of a cluster" in listed.stderr
    assert [listed.returncode, *(done.returncode for done in named)] == [4, 0, 4]
    assert str(damaged) in named[1].stderr


def test_faults_are_added_listed_and_removed(vpm: Vpm) -> None:
    up = vpm("cluster", "up", "drill", "--cluster", "embedded")
    assert up.returncode == 0, up.stderr
    added = vpm("cluster", "fault", "add", "app-error", "percent=50", "--name", "drill")
    assert added.returncode == 0, added.stderr
    fault = added.stdout.strip()
    listed = vpm("cluster", "fault", "list", "--name", "drill").stdout
    assert listed == f"{fault}  app-error  Active  percent=50\n"
    misspelt = vpm("cluster", "fault", "add", "app-error", "percentage=50", "--name", "drill")
    assert misspelt.returncode == 2
    assert "app-error has no parameter 'percentage'; it takes service, percent" in misspelt.stderr
    unknown = vpm("cluster", "fault", "remove", "nothing", "--name", "drill")
    assert (unknown.returncode, f"in effect are: {fault}" in unknown.stderr) == (2, True)
    assert vpm("cluster", "fault", "remove", fault, "--name", "drill").returncode == 0
    assert vpm("cluster", "fault", "list", "--name", "drill").stdout == ""


def test_the_help_names_every_type_of_fault(vpm: Vpm) -> None:
    shown = vpm("cluster", "fault", "add", "--help").stdout
    assert [name for name in PARAMETERS if f" {name} " not in shown] == []


def test_kind_without_an_engine_says_what_to_do(vpm: Vpm, tmp_path: Path) -> None:
    done = subprocess.run(
        [*VPM, "cluster", "up", "--cluster", "kind"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)},
        timeout=60,
    )
    assert done.returncode == 4
    assert "no Docker engine" in done.stderr
    assert "mend:" in done.stderr
    assert json.loads(vpm("cluster", "list", "--json").stdout) == []


def test_doctor_for_the_embedded_cluster(vpm: Vpm) -> None:
    done = vpm("doctor", "--cluster", "embedded", "--json")
    report = json.loads(done.stdout)
    assert report["provider"] == "embedded"
    assert {"system", "memory", "envoy", "namespaces"} <= {
        item["id"] for item in report["findings"]
    }
    failed = [item for item in report["findings"] if item["status"] == "failure"]
    assert done.returncode == (4 if failed else 0)
    assert all(item["mend"] for item in failed)


def test_doctor_for_kind_lists_what_is_missing(vpm: Vpm) -> None:
    done = vpm("doctor", "--cluster", "kind", "--kind-bin", "/nowhere/kind")
    assert done.returncode == 4
    assert "FAIL  kind: kind was not found: /nowhere/kind (as asked for)" in done.stdout
    assert "mend:" in done.stdout


def test_doctor_for_a_context_that_does_not_exist(vpm: Vpm) -> None:
    done = vpm("doctor", "--cluster", "existing", "--context", "nope")
    assert done.returncode == 4
    assert "there is no context 'nope'" in done.stdout
