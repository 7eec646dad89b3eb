"""`vpm lint`, `vpm schema`, `vpm plan`, and the errors that a person gets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "scenarios").rglob("scenario.yaml"))


def vpm(
    *arguments: str, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_schema_is_a_schema() -> None:
    result = vpm("schema")
    assert result.returncode == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.parent.name)
def test_shipped_scenarios_fit_the_schema(path: Path) -> None:
    schema = json.loads(vpm("schema").stdout)
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema)


def test_shipped_scenarios_are_clean() -> None:
    result = vpm("lint", "scenarios")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == len(SCENARIOS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "nowhere"), "error: nowhere: no such file or folder"),
        (("run", "."), "there is no scenario.yaml in this folder"),
        (("lint", "broken.yaml"), "broken.yaml:1:1: unknown key 'nmae'; did you mean 'name'?"),
        (("run", "broken.yaml"), "broken.yaml:1:1: unknown key 'nmae'; did you mean 'name'?"),
        (("run", "binary.yaml"), "binary.yaml: is not UTF-8 text"),
        (("judge", "."), "no journal can be read"),
        (("rnu", "."), "No such command 'rnu'"),
        (("run", "--cluster=cloud", "."), "'cloud' is not one of"),
    ],
)
def test_bad_usage_exits_2_with_a_word_and_no_traceback(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "broken.yaml").write_text("nmae: x\n", encoding="utf-8")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    before = sorted(tmp_path.iterdir())
    result = vpm(*arguments, folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--cluster=existing",), 2, "--cluster=existing needs a context by name"),
        (("--cluster=kind",), 4, "mend: "),
    ],
)
def test_a_cluster_that_can_not_be_had_leaves_nothing_behind(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = vpm(
        "run",
        "scenarios/goal_m2",
        f"--reports={tmp_path / 'reports'}",
        *arguments,
        environment={"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "PATH": "/nowhere"},
    )
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_contract_that_the_policy_refuses_is_a_problem_of_the_scenario(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        (ROOT / "scenarios" / "load_hello" / "scenario.yaml")
        .read_text(encoding="utf-8")
        .replace("../goal_m2/contracts/apply_hello_dev.json", "drop.json"),
        encoding="utf-8",
    )
    (tmp_path / "pyproject.toml").touch()
    for name in ("codex/policy.yaml", "infra/k8s/overlays/dev/hello-ksvc.yaml"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "drop.json").write_text(
        '{"kind": "ask", "source": "x", "actions": [{"cmd": "kubectl delete ns default"}]}',
        encoding="utf-8",
    )
    result = vpm("lint", str(scenario), folder=tmp_path)
    assert result.returncode == 2
    assert re.match(
        r"scenario.yaml:\d+:\d+: the contract 'drop.json' would be refused: ", result.stderr
    )


def test_a_sample_image_that_was_deleted_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "hello.yaml").write_text(
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: hello}\nspec:\n"
        "  template: {spec: {containers: [\n    {\n"
        "    image: gcr.io/knative-samples/helloworld-go}]}}\n",
        encoding="utf-8",
    )
    (tmp_path / "scenario.yaml").write_text(
        "apiVersion: vpm.dev/v1\nkind: Scenario\nname: old\n"
        "services: {hello: {manifest: hello.yaml}}\n"
        "steps: [{name: apply hello, apply: {service: hello}}]\n",
        encoding="utf-8",
    )
    result = vpm("lint", "scenario.yaml", folder=tmp_path)
    assert result.returncode == 0
    assert "warning: hello.yaml:7:12: the image gcr.io/knative-samples/" in result.stderr
    assert "use ghcr.io/knative/helloworld-go" in result.stderr


def test_plan_shows_the_steps_without_running_them() -> None:
    result = vpm("plan", "scenarios/goal_m2")
    assert result.returncode == 0
    assert "  probe hello  (needs cluster vpm-mini, ready hello)" in result.stdout.splitlines()


def test_help_lists_every_command_and_imports_none() -> None:
    result = vpm("--help")
    assert result.returncode == 0
    for command in ("run", "lint", "probe", "evidence", "cluster"):
        assert f"\n  {command} " in result.stdout


def test_a_reason_for_skipping_is_told_once(tmp_path: Path) -> None:
    asked = ("run", "scenarios/goal_m2", "--cluster=existing", "--context=nowhere")
    done = vpm(*asked, f"--reports={tmp_path}")
    skipped = [line for line in done.stdout.splitlines() if line.startswith("skipped ")]
    assert done.returncode == 4
    assert "it needs 'cluster vpm-mini', which ended in ERROR: context 'nowhere'" in skipped[0]
    assert len(skipped) > 2
    assert all(line.endswith(": for the same reason") for line in skipped[1:])
