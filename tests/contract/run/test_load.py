"""Reading scenarios from disk: what a folder holds, and files that cannot be named at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core.errors import SpecError
from harness.options import RunOptions
from harness.provider import request_for
from harness.run.load import find_scenarios, load_plan
from harness.spec.model import ClusterSpec

_HEAD = "apiVersion: vpm.dev/v1\nkind: Scenario\nname: x\n"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("services:\n  hello: {{manifest: {file}}}\nsteps: []\n", "5:21"),
        ("steps:\n  - name: a\n    contract: {{file: {file}}}\n", "6:22"),
    ],
    ids=["manifest", "contract"],
)
@pytest.mark.parametrize("file", ['"a\\0b"', "a" * 5000], ids=["a null byte", "too long"])
def test_a_path_that_no_file_can_have_is_a_problem_of_the_scenario(
    body: str, place: str, file: str, tmp_path: Path
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(_HEAD + body.format(file=file), encoding="utf-8")
    with pytest.raises(SpecError) as error:
        load_plan(path, root=tmp_path)
    (problem,) = (p for p in error.value.problems if "cannot be the name" in p.message)
    assert f"{problem.line}:{problem.column}" == place


def test_an_update_must_be_of_the_same_service(tmp_path: Path) -> None:
    manifest = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: %s}\n"
    for name in ("hello", "other"):
        (tmp_path / f"{name}.yaml").write_text(manifest % name, encoding="utf-8")
    path = tmp_path / "scenario.yaml"
    services = "services:\n  hello: {manifest: hello.yaml}\n"
    step = "steps:\n  - {name: a, apply: {service: hello, manifest: other.yaml}}\n"
    path.write_text(_HEAD + services + step, encoding="utf-8")
    with pytest.raises(SpecError, match=r"7:49: .* is about default/other, not default/hello"):
        load_plan(path, root=tmp_path)


def test_only_files_are_scenarios(tmp_path: Path) -> None:
    for name in ("pipe", "loop", "folder", "whole"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe" / "scenario.yaml")
    (tmp_path / "loop" / "scenario.yaml").symlink_to("scenario.yaml")
    (tmp_path / "folder" / "scenario.yaml").mkdir()
    whole = tmp_path / "whole" / "scenario.yaml"
    whole.write_text(_HEAD, encoding="utf-8")
    assert find_scenarios(tmp_path) == (whole,)


def test_braces_in_a_context_pattern_are_just_braces() -> None:
    spec = ClusterSpec(name="vpm-mini", contexts=("kind-{name}", "{0}", "a{b", "x}"))
    request = request_for(spec, RunOptions(), "existing")
    assert request.allowed_contexts == ("kind-vpm-mini", "{0}", "a{b", "x}")
