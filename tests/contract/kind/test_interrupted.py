"""A creation that was cut off: what it left is recognised, and nothing else is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.core.errors import ClusterError
from infra.clusters.errors import DeletionRefused
from infra.clusters.images import Docker
from infra.clusters.kept import KindTools, clear_interrupted
from infra.clusters.kind_cli import Kind
from infra.clusters.resources import DEPLOYMENT
from infra.clusters.state import ClusterFolder, Intent
from tests.support.fake_kube import named
from tests.support.kind_machine import Machine
from tests.support.standin import Call, install
from tests.support.wait import eventually

INTENT = Intent(owner="0123456789abcdef", at="2026-11-22T09:00:00+00:00")
COPY = ("cp", "vpm-mini-control-plane:/kind/kubeadm.conf", "{target}")


def folder_of(machine: Machine) -> ClusterFolder:
    return ClusterFolder.of("kind", "vpm-mini", home=machine.folder / "home")


def docker(machine: Machine, *, owner: str | None) -> Docker:
    """A docker whose node carries a token in its kubeadm configuration, or has none yet."""
    copied = machine.folder / "kubeadm.conf"
    copied.write_text(f'node-labels: "vpm.dev/created-by={owner}"\n')
    calls = [
        Call(("image", "inspect", "--format={{.Id}}", "{image}"), stdout="sha256:1\n"),
        Call(COPY, exit=1 if owner is None else 0, copies=str(copied)),
    ]
    return Docker(install(machine.folder / "docker-bin", "docker", calls))


LOADS = Call(("load", "docker-image", "--name", "vpm-mini", "dev.local/metrics-echo:{tag}"))


def half_made(machine: Machine) -> None:
    """kind knows a cluster, and the harness has only said that it would create one."""
    folder_of(machine).intend(INTENT)
    (machine.folder / "bin").mkdir(exist_ok=True)
    (machine.folder / "bin" / "kind.state").write_text("created")


def test_what_was_intended_is_removed_and_created_again(machine: Machine) -> None:
    half_made(machine)
    driver = machine.driver(docker=docker(machine, owner=INTENT.owner), transcript=[LOADS])
    with driver.open(machine.request()) as cluster:
        assert "owned" in cluster.capabilities
    verbs = [call[0] for call in machine.kind_calls if call[0] in ("create", "delete")]
    assert verbs == ["delete", "create"]
    assert folder_of(machine).intent() is None
    assert folder_of(machine).record() is not None
    assert "removing what an interrupted creation of vpm-mini left" in machine.lines


def test_a_cluster_that_somebody_else_made_meanwhile_is_used_and_left(machine: Machine) -> None:
    with machine.driver().open(machine.request()):
        pass
    folder_of(machine).forget()
    half_made(machine)
    driver = machine.driver(docker=docker(machine, owner="f" * 16))
    with driver.open(machine.request(keep="never")) as cluster:
        assert "owned" not in cluster.capabilities
    assert "delete" not in [call[0] for call in machine.kind_calls]
    assert folder_of(machine).intent() is None


def test_a_node_that_says_nothing_yet_is_left_to_a_person(machine: Machine) -> None:
    half_made(machine)
    driver = machine.driver(docker=docker(machine, owner=None))
    with (
        pytest.raises(ClusterError, match="does not say whether it is the one") as caught,
        driver.open(machine.request()),
    ):
        pass
    assert "kind delete cluster --name vpm-mini" in (caught.value.mend or "")
    assert "delete" not in [call[0] for call in machine.kind_calls]
    assert folder_of(machine).intent() == INTENT


def test_what_is_in_use_is_not_removed(machine: Machine) -> None:
    half_made(machine)
    machine.server.write_kubeconfig(folder_of(machine).path / "kubeconfig", "kind-vpm-mini")
    machine.kube.put(*named(DEPLOYMENT, "default", "somebody-elses"))
    driver = machine.driver(docker=docker(machine, owner=INTENT.owner))
    with (
        pytest.raises(DeletionRefused, match="foreign: Deployment default/somebody-elses"),
        driver.open(machine.request()),
    ):
        pass
    assert "delete" not in [call[0] for call in machine.kind_calls]


def test_an_intent_without_a_cluster_is_forgotten(machine: Machine) -> None:
    folder_of(machine).intend(INTENT)
    with machine.driver().open(machine.request()):
        pass
    assert [call[0] for call in machine.kind_calls].count("create") == 1
    assert folder_of(machine).intent() is None


def test_down_removes_what_was_left(machine: Machine) -> None:
    half_made(machine)
    machine.driver()
    kind = Kind(machine.folder / "bin" / "kind")
    home = machine.folder / "home"
    tools = KindTools(kind, docker(machine, owner=INTENT.owner))
    assert clear_interrupted("vpm-mini", home=home, tools=tools)
    assert machine.kind_calls[-1][:2] == ["delete", "cluster"]
    assert not clear_interrupted("vpm-mini", home=home, tools=tools)


@pytest.mark.parametrize("text", ["", "[]", '{"owner": 5, "at": "x"}', '{"owner": "x"}', "\x00"])
def test_an_intent_that_cannot_be_read_stops_everything(machine: Machine, text: str) -> None:
    folder = folder_of(machine)
    folder.path.mkdir(parents=True)
    (folder.path / "creating.json").write_text(text)
    with (
        pytest.raises(ClusterError, match=r"creating\.json is not a record"),
        machine.driver().open(machine.request()),
    ):
        pass
    assert machine.kind_calls == []


def test_a_killed_creation_leaves_its_intent_and_its_token_in_kinds_configuration(
    tmp_path: Path,
) -> None:
    """A process that is killed while kind creates: really, with SIGKILL."""
    transcript = [
        Call(("version",), stdout="kind v0.29.0 go1.24.2 linux/amd64\n"),
        Call(("get", "clusters"), stderr="No kind clusters found.\n"),
        Call(("create", "cluster", *["{option}"] * 6), seconds=600, then="created"),
    ]
    program = install(tmp_path / "bin", "kind", transcript)
    script = textwrap.dedent(f"""
        from pathlib import Path
        from harness.ports import ClusterRequest
        from infra.clusters.kind import KindDriver
        driver = KindDriver(kind=Path({str(program)!r}), home=Path({str(tmp_path)!r}))
        options = {{"http-port": "1", "https-port": "2"}}
        with driver.open(ClusterRequest(name="vpm-mini", options=options)):
            pass
    """)
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        _kill_while_creating(process, program)
    folder = tmp_path / "kind" / "vpm-mini"
    intent = json.loads((folder / "creating.json").read_text())
    assert f"vpm.dev/created-by: {intent['owner']}" in (folder / "kind-cluster.yaml").read_text()
    assert not (folder / "created.json").exists()


def _kill_while_creating(process: subprocess.Popen[bytes], program: Path) -> None:
    try:
        eventually(program.with_name("kind.state").exists, timeout=120)
    finally:
        process.kill()
        for child in _processes_of(program):
            os.kill(child, signal.SIGKILL)


def _processes_of(program: Path) -> list[int]:
    """The processes whose command line names this stand-in."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(program) in line:
                found.append(int(entry.name))
    return found
