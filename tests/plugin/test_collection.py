"""Scenario files as pytest sees them, tested by running pytest inside pytest."""

from __future__ import annotations

import subprocess
import sys

import pytest

MANIFEST = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec: {template: {spec: {containers: [{image: dev.local/hello}]}}}
"""
SCENARIO = """\
apiVersion: vpm.dev/v1
kind: Scenario
name: sample
services:
  hello: {manifest: hello.yaml}
steps:
  - name: ready hello
    ready: {service: hello}
  - name: probe hello
    needs: [ready hello]
    probe: {service: hello, vantages: [devbox]}
"""
# A context that is not there: the cluster step is an ERROR, and nothing is started.
NOWHERE = ("--vpm-cluster=existing", "--vpm-context=nowhere", "--vpm-kubeconfig=/nonexistent")
IDS = ["cluster vpm-mini", "ready hello", "probe hello"]


@pytest.fixture
def repository(pytester: pytest.Pytester) -> pytest.Pytester:
    """A repository with one good scenario."""
    pytester.makefile(".toml", pyproject="")
    write(pytester, "hello.yaml", MANIFEST)
    write(pytester, "scenarios/sample/scenario.yaml", SCENARIO)
    return pytester


def write(pytester: pytest.Pytester, name: str, text: str) -> None:
    path = pytester.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def collected(result: pytest.RunResult) -> list[str]:
    return [line.split("::", 1)[1] for line in result.outlines if "scenario.yaml::" in line]


def test_each_step_is_an_item_with_a_readable_id(repository: pytest.Pytester) -> None:
    result = repository.runpytest("scenarios", "--collect-only", "-q")
    assert "scenarios/sample/scenario.yaml::probe hello" in result.outlines
    assert collected(result) == IDS


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-k", "probe"), ["probe hello"]),
        (("-k", "hello"), ["ready hello", "probe hello"]),
        (("scenarios/sample/scenario.yaml::ready hello",), ["ready hello"]),
    ],
)
def test_steps_are_selected_like_tests(
    repository: pytest.Pytester, arguments: tuple[str, ...], expected: list[str]
) -> None:
    paths = () if arguments[0].startswith("scenarios") else ("scenarios",)
    result = repository.runpytest(*paths, *arguments, "--collect-only", "-q")
    assert collected(result) == expected


@pytest.mark.parametrize("seed", range(5))
def test_steps_keep_their_order_when_tests_are_shuffled(
    repository: pytest.Pytester, seed: int
) -> None:
    write(
        repository,
        "scenarios/test_beside.py",
        "\n".join(f"def test_{number}(): pass" for number in range(5)),
    )
    result = repository.runpytest("scenarios", "--collect-only", "-q", f"--randomly-seed={seed}")
    assert collected(result) == IDS


def test_a_broken_scenario_stops_the_session_with_every_problem(
    repository: pytest.Pytester,
) -> None:
    broken = SCENARIO.replace("vantages", "vantage").replace("{service: hello}", "{service: helo}")
    write(repository, "scenarios/sample/scenario.yaml", broken)
    result = repository.runpytest("scenarios")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        [
            "*scenario.yaml:8:*the service 'helo' is not declared under services;"
            " did you mean 'hello'?",
            "*scenario.yaml:11:*unknown key 'vantage'; did you mean 'vantages'?",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_manifest_that_is_missing_is_named_at_its_place(repository: pytest.Pytester) -> None:
    (repository.path / "hello.yaml").unlink()
    result = repository.runpytest("scenarios")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*scenario.yaml:5:21: the manifest 'hello.yaml' does not exist*"])


def test_a_folder_without_scenarios_collects_nothing_and_says_so(
    repository: pytest.Pytester,
) -> None:
    repository.mkdir("empty")
    result = repository.runpytest("empty")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["vpm: there is no scenario.yaml in empty"])


def test_an_unreachable_cluster_is_an_error_in_words(repository: pytest.Pytester) -> None:
    result = repository.runpytest("scenarios", *NOWHERE, "-v")
    outcomes = result.parseoutcomes()
    assert outcomes == {"failed": 1, "skipped": 2}
    result.stdout.fnmatch_lines(["*SKIPPED (it needs*", "ERROR: there is no kubeconfig *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_junit_carries_verdict_and_evidence(repository: pytest.Pytester) -> None:
    repository.runpytest("scenarios", *NOWHERE, "--junit-xml=junit.xml")
    junit = (repository.path / "junit.xml").read_text(encoding="utf-8")
    assert 'name="vpm.verdict" value="ERROR"' in junit
    assert 'name="vpm.evidence"' in junit
    assert 'name="probe hello"' in junit
    run = next((repository.path / "reports/runs").iterdir()).name
    document = f'value="runs/{run}/evidence/'
    assert junit.count(document) == junit.count('.verdict" value="ERROR"') - junit.count(
        '"vpm.verdict" value="ERROR"'
    )
    assert document in junit


def test_a_scenario_stays_on_one_worker(repository: pytest.Pytester) -> None:
    write(
        repository,
        "scenarios/test_beside.py",
        "\n".join(f"def test_{number}(): pass" for number in range(20)),
    )
    result = repository.runpytest("scenarios", *NOWHERE, "-n2", "-v")
    workers = {
        line.split("]")[0]
        for line in result.outlines
        if "scenario.yaml::" in line and line.startswith("[gw")
    }
    assert len(workers) == 1
    assert result.parseoutcomes() == {"failed": 1, "skipped": 2, "passed": 20}


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_the_summary_is_printed_once_with_and_without_workers(
    repository: pytest.Pytester, workers: str
) -> None:
    result = repository.runpytest("scenarios", *NOWHERE, workers)
    folder = next((repository.path / "reports/runs").iterdir())
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*= vpm =*", "sample: ERROR*", f"  evidence: {folder}"])
    assert sum(line.startswith("sample: ") for line in result.outlines) == 1


def test_a_disk_without_room_is_told_and_not_shown_as_our_own_mistake(
    repository: pytest.Pytester,
) -> None:
    """A limit on the size of files stands for the disk; what pytest says goes through a pipe."""
    limited = (
        "import resource, sys, pytest;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500));"
        "sys.exit(pytest.main(sys.argv[1:]))"
    )
    arguments = ("scenarios", *NOWHERE, "-pno:cacheprovider", "--capture=no")
    ended = subprocess.run(
        (sys.executable, "-c", limited, *arguments),
        cwd=repository.path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stderr
    said = pytest.LineMatcher(ended.stdout.splitlines())
    said.fnmatch_lines(
        ["*/reports/runs/sample_*/journal.jsonl cannot be written: File too large", "*mend: make*"]
    )
    said.no_fnmatch_line("*Traceback*")
    said.no_fnmatch_line("*harness/run/*.py*")


def test_the_header_says_which_cluster_and_why(repository: pytest.Pytester) -> None:
    result = repository.runpytest("scenarios", "--vpm-cluster=embedded", "--collect-only")
    result.stdout.fnmatch_lines(["vpm: embedded cluster (--vpm-cluster=embedded asks for it)"])


def test_a_cluster_that_can_not_be_had_stops_the_session(repository: pytest.Pytester) -> None:
    result = repository.runpytest("scenarios", "--vpm-cluster=existing")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*--vpm-cluster=existing needs a context by name*"])
    assert not (repository.path / "reports").exists()


def test_no_word_where_there_are_no_scenarios(repository: pytest.Pytester) -> None:
    write(repository, "plain/test_plain.py", "def test_plain(): pass")
    result = repository.runpytest("plain")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("vpm:*")


def test_plain_folders_of_our_packages_names_are_no_trouble(repository: pytest.Pytester) -> None:
    for name in ("infra", "scripts", "tests"):
        write(repository, f"{name}/notes.txt", "ours")
    result = repository.runpytest_subprocess("scenarios", *NOWHERE)
    assert result.parseoutcomes() == {"failed": 1, "skipped": 2}


def test_a_package_that_hides_ours_is_a_clear_error(repository: pytest.Pytester) -> None:
    write(repository, "infra/__init__.py", "")
    result = repository.run(sys.executable, "-m", "pytest", "scenarios", *NOWHERE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any("its package 'infra' is hidden by" in line for line in result.errlines)
