"""Which driver is chosen, and why, with stand-ins for docker and kind on PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.core.verdict import ExitCode
from harness.options import Provider, RunOptions
from harness.provider import choose_driver
from infra.clusters.choose import choose
from infra.clusters.errors import EngineUnavailable, ToolMissing
from tests.support.standin import Call, install

INFO = ("info", "--format", "{{.ServerVersion}}")
DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("KIND_BIN", raising=False)
    return folder


def docker(path: Path, **answer: object) -> None:
    install(path, "docker", [Call(INFO, **answer)])  # type: ignore[arg-type]


def kind(path: Path, **answer: object) -> None:
    install(path, "kind", [Call(("version",), **answer)])  # type: ignore[arg-type]


def test_auto_takes_kind_where_engine_and_kind_answer(path: Path) -> None:
    docker(path, stdout="28.2.2\n")
    kind(path, stdout="kind v0.29.0 go1.24.2 linux/amd64\n")
    driver, why = choose("auto")
    assert driver.provider == "kind"
    assert why == "Docker 28.2.2 and kind v0.29.0 go1.24.2 linux/amd64 answer"


def test_auto_without_docker_is_embedded_and_says_why(path: Path) -> None:
    driver, why = choose("auto")
    assert driver.provider == "embedded"
    assert why == "kind cannot run here: no Docker engine: there is no program docker on PATH"
    assert list(path.iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [
        {"exit": 1, "stderr": DOWN},
        {"exit": 0, "stdout": "\n", "stderr": DOWN},  # Older clients exit 0.
    ],
)
def test_auto_with_a_silent_engine_is_embedded(path: Path, answer: dict[str, object]) -> None:
    docker(path, **answer)
    kind(path, stdout="kind v0.29.0\n")
    driver, why = choose("auto")
    assert driver.provider == "embedded"
    assert "Cannot connect to the Docker daemon" in why


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"stdout": "\x1b[31m garbage"}, r"is no kind: its version is '\x1b[31m garbage'"),
        ({"stdout": "y\n" * 9_000}, "is no kind: its version is 'y"),
        ({"exit": 1, "stderr": "\x1b[31mbroken\n"}, "kind does not run: ?[31mbroken"),
    ],
)
def test_auto_with_another_program_called_kind_is_embedded(
    path: Path, answer: dict[str, object], said: str
) -> None:
    docker(path, stdout="28.2.2\n")
    kind(path, **answer)
    driver, why = choose("auto")
    assert driver.provider == "embedded"
    assert said in why
    assert len(why) < 300


def test_another_program_called_docker_is_no_engine(path: Path) -> None:
    docker(path, stdout="y\n" * 9_000)
    with pytest.raises(EngineUnavailable, match="no Docker engine answers: y") as caught:
        choose("kind")
    assert len(str(caught.value)) < 300


def test_auto_without_kind_is_embedded(path: Path) -> None:
    docker(path, stdout="28.2.2\n")
    driver, why = choose("auto")
    assert driver.provider == "embedded"
    assert "kind was not found" in why


def test_kind_without_an_engine_is_an_error_with_a_mend(path: Path) -> None:
    docker(path, exit=1, stderr=DOWN)
    with pytest.raises(EngineUnavailable, match="Cannot connect") as caught:
        choose("kind")
    assert caught.value.exit_code is ExitCode.ERROR
    assert "--vpm-cluster=embedded" in (caught.value.mend or "")


def test_kind_without_kind_is_an_error_with_a_mend(path: Path) -> None:
    docker(path, stdout="28.2.2\n")
    with pytest.raises(ToolMissing, match="kind was not found") as caught:
        choose("kind")
    assert "KIND_BIN" in (caught.value.mend or "")


def test_kind_is_taken_from_the_environment_and_from_the_option(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(path, stdout="28.2.2\n")
    kind(tmp_path / "other", stdout="kind v0.29.0\n")
    program = str(tmp_path / "other" / "kind")
    driver, _ = choose("kind", kind_bin=program)
    assert driver.provider == "kind"
    monkeypatch.setenv("KIND_BIN", program)
    assert choose("auto")[0].provider == "kind"
    with pytest.raises(ToolMissing, match="nowhere"):
        choose("kind", kind_bin="/nowhere/kind")


@pytest.mark.parametrize("provider", ["embedded", "existing"])
@pytest.mark.usefixtures("path")
def test_what_is_asked_for_is_taken(provider: str) -> None:
    driver, why = choose(provider)
    assert driver.provider == provider
    assert why == f"--vpm-cluster={provider} asks for it"


@pytest.mark.parametrize(
    "given", [{"context": "dev"}, {"gateway": "h:80"}, {"kubeconfig": "/k"}], ids=str
)
@pytest.mark.parametrize("provider", ["auto", "embedded", "kind"])
def test_options_of_an_existing_cluster_are_not_ignored_elsewhere(
    provider: Provider, given: dict[str, str]
) -> None:
    options = RunOptions(cluster=provider, **given)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"--{next(iter(given))} belongs to an existing") as caught:
        choose_driver(options)
    assert "--cluster=existing" in (caught.value.mend or "")


def test_an_unknown_provider_is_bad_usage() -> None:
    with pytest.raises(UsageError, match="minikube"):
        choose("minikube")
