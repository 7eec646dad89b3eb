"""goal_m2 on somebody's own cluster, by the recipe of docs/clusters.md; and without its pieces."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.core.verdict import ExitCode
from tests.support.cluster import Cluster, serve
from tests.support.runs import ROOT, environment, processes_mentioning
from tests.support.wait import eventually

CONTEXT = "my-cluster"
WHERE = ("--cluster=existing", f"--context={CONTEXT}")
CONTRACTS = ("apply_hello_dev.json", "apply_metrics_echo_dev.json")
POLICY, SCENARIO = "codex/policy.yaml", "scenarios/goal_m2/scenario.yaml"
ALLOW = f"s/kind-vpm-mini[],]/{CONTEXT}, &/"
PIECES = ("signer", "policy", "scenario", "contracts")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that the harness did not make, under a context name of its owner's."""
    with serve(tmp_path_factory.mktemp("own") / "state", "somebodys") as started:
        content = yaml.safe_load(started.kubeconfig.read_text())
        content["contexts"][0]["name"] = content["current-context"] = CONTEXT
        own = started.kubeconfig.with_name("own.kubeconfig")
        own.write_text(yaml.safe_dump(content))
        own.chmod(0o600)
        yield Cluster(own, started.info, started.process)


class Team:
    """A copy of the repository's scenario, policy and contracts, and its recipe."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.repo = folder / "repo"
        self.home = folder
        self.said = ""
        self._cluster = cluster
        for part in ("scenarios/goal_m2", "infra/k8s"):
            shutil.copytree(ROOT / part, self.repo / part)
        (self.repo / "codex" / "inbox").mkdir(parents=True)
        shutil.copy(ROOT / "codex" / "policy.yaml", self.repo / "codex")
        shutil.copy(ROOT / "pyproject.toml", self.repo)

    def vpm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `vpm` in the copy."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `vpm` in the copy, without waiting for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness.cli.main", *arguments],
            cwd=self.repo,
            env={**environment(self.home), "KUBECONFIG": str(self._cluster.kubeconfig)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> subprocess.CompletedProcess[str]:
        """The scenario on the cluster."""
        return self.vpm("run", "scenarios/goal_m2", *WHERE)

    def prepare(self, *pieces: str) -> None:
        """Do these pieces of the recipe; all of them make the scenario run."""
        made = self.vpm("runner", "keygen", "--by", "alice", "--out", "alice.pem")
        assert made.returncode == 0, made.stderr
        (signer,) = yaml.safe_load(made.stdout.partition("\n")[2])
        policy = yaml.safe_load((self.repo / POLICY).read_text())
        if "signer" in pieces:
            policy["approvals"]["signers"].append(signer)
        text = yaml.safe_dump(policy, default_flow_style=None)
        (self.repo / POLICY).write_text(text)
        for piece, path in (("policy", POLICY), ("scenario", SCENARIO)):
            if piece in pieces:
                subprocess.run(["sed", "-i", ALLOW, path], cwd=self.repo, check=True)
        if "contracts" in pieces:
            self.said = self._approve()

    def _approve(self) -> str:
        """Approve both contracts for the cluster, in one command; what it said."""
        files = [f"scenarios/goal_m2/contracts/{name}" for name in CONTRACTS]
        by = ("--context", CONTEXT, "--by", "alice", "--key", "alice.pem", "--embed")
        done = self.vpm("runner", "approve", *files, *by)
        return done.stdout + done.stderr


@pytest.fixture
def team(tmp_path: Path, cluster: Cluster) -> Team:
    return Team(tmp_path, cluster)


def test_the_recipe_is_the_documented_one() -> None:
    documented = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    assert ALLOW.replace(CONTEXT, "dev") in documented
    assert "approve scenarios/goal_m2/contracts/*.json --context dev --by alice" in documented


def services(cluster: Cluster) -> set[tuple[str, int]]:
    """Names and generations of the services there."""
    found = json.loads(cluster.kubectl("get", "ksvc", "-A", "-o", "json").out)["items"]
    return {(item["metadata"]["name"], item["metadata"]["generation"]) for item in found}


def test_the_recipe_makes_goal_m2_pass(team: Team, cluster: Cluster) -> None:
    team.prepare(*PIECES)
    target = f"target: embedded-vpm-mini*,kind-vpm-mini,{CONTEXT}/default"
    assert team.said.count(target) == len(CONTRACTS), team.said
    done = team.run()
    assert done.returncode == ExitCode.PASS, done.stdout + done.stderr
    assert "PASS: all 12 steps passed" in done.stdout
    assert {name for name, _ in services(cluster)} == {"hello", "metrics-echo"}


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ("scenario", f"context '{CONTEXT}' is not allowed here"),
        ("policy", f"{CONTEXT} is not among embedded-*, kind-vpm-mini"),
        ("signer", "the policy names no signer alice"),
        ("contracts", f"is for embedded-vpm-mini*, kind-vpm-mini, this is {CONTEXT}"),
    ],
)
def test_without_a_piece_nothing_is_applied(
    team: Team, cluster: Cluster, without: str, words: str
) -> None:
    before = services(cluster)
    team.prepare(*(piece for piece in PIECES if piece != without))
    done = team.run()
    assert done.returncode == ExitCode.ERROR, done.stdout + done.stderr
    assert words in team.said + done.stdout + done.stderr
    assert services(cluster) == before


def test_what_names_no_contexts_runs_where_it_is_told_to(team: Team, cluster: Cluster) -> None:
    probed = team.vpm("probe", "default/nothing", *WHERE, "--vantage=gateway")
    assert "not allowed" not in probed.stdout + probed.stderr
    folder = team.repo / "scenarios" / "mine"
    folder.mkdir()
    manifest = "infra/k8s/overlays/dev/hello-ksvc.yaml"
    scenario = {
        "apiVersion": "vpm.dev/v1",
        "kind": "Scenario",
        "name": "mine",
        "services": {"hello": {"manifest": manifest}},
        "steps": [{"name": "ready", "ready": {"service": "hello", "timeout": "1s"}}],
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    done = team.vpm("run", "scenarios/mine", *WHERE)
    # Whether hello is there depends on the other tests; the cluster was accepted and asked.
    assert re.search(r"PASS +cluster vpm-mini", done.stdout), done.stdout + done.stderr


WAIT_FOR_EVER = {
    "schema": "vpm.contract/v1",
    "id": "for_ever",
    "kind": "check",
    "created": "2026-11-22T10:00:00Z",
    "target": {"contexts": [CONTEXT]},
    "actions": [
        {
            "verb": "wait",
            "resource": {"api": "v1", "kind": "Service", "name": "kubernetes"},
            "condition": "Never",
            "timeout": 300,
        }
    ],
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("busy", "code"), [(False, 0), (True, 130)])
def test_a_signal_ends_serve_in_good_order(
    team: Team, number: signal.Signals, busy: bool, code: int
) -> None:
    team.prepare("policy")
    waiting = team.repo / "codex" / "inbox" / "for_ever.json"
    waiting.write_text(json.dumps(WAIT_FOR_EVER if busy else {"task": "noop", "actions": []}))
    serving = team.start("runner", "serve", "--mode=exec", *WHERE)
    if busy:
        logs = team.repo.joinpath("reports", "codex_runs").glob
        eventually(
            lambda: any("condition=Never" in log.read_text() for log in logs("*/run.log")),
            timeout=60,
            what="the wait of the contract",
        )
    else:
        assert serving.stdout is not None
        assert serving.stdout.readline()
    serving.send_signal(number)
    said, errors = serving.communicate(timeout=60)
    assert serving.returncode == code, said + errors
    assert "Traceback" not in errors
    assert processes_mentioning(str(team.repo)) == []
    assert team.repo.joinpath("codex/inbox/_running/for_ever.json").exists() == busy


def test_serve_goes_by_the_policy_of_the_moment(team: Team) -> None:
    team.prepare("policy")
    inbox, policy = team.repo / "codex" / "inbox", team.repo / POLICY
    allowed = policy.read_text()

    def files(contract: str, folder: str) -> None:
        eventually((inbox / folder / contract).exists, timeout=60, what=f"{contract} in {folder}")

    noop = json.dumps({"task": "noop", "actions": []})
    (inbox / "first.json").write_text(noop)
    serving = team.start("runner", "serve", "--mode=exec", "--interval=0.2", *WHERE)
    files("first.json", "_done")
    policy.write_text("kinds: [")
    (inbox / "second.json").write_text(noop)
    assert serving.stderr is not None
    said = next(line for line in serving.stderr if "policy.yaml" in line)
    assert "no contract runs until it is mended" in said
    assert (inbox / "second.json").exists()
    policy.write_text(re.sub(r", noop", "", allowed))
    files("second.json", "_refused")
    serving.terminate()
    _, errors = serving.communicate(timeout=60)
    assert (serving.returncode, "Traceback" in errors) == (0, False), errors
