"""`vpm bundle` without an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.bundle import bundle
from harness.core.errors import UsageError
from infra.clusters.errors import EngineUnavailable
from tests.support.fake_install import write_manifests


def test_manifests_alone_travel_without_an_engine(tmp_path: Path) -> None:
    manifests = write_manifests(tmp_path / "manifests")
    output = tmp_path / "bundle.tar"
    runner = CliRunner()
    made = runner.invoke(
        bundle, ["create", str(output), "--manifests", str(manifests), "--no-images"]
    )
    assert made.exit_code == 0, made.output
    assert "3 files for Knative 1.18" in made.output
    loaded = runner.invoke(bundle, ["load", str(output), "--into", str(tmp_path / "in")])
    assert loaded.exit_code == 0, loaded.output
    for name in ("serving-crds.yaml", "serving-core.yaml", "kourier.yaml"):
        assert (tmp_path / "in" / name).read_bytes() == (manifests / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["create", "b.tar"], EngineUnavailable),
        (["create", "b.tar", "--no-images", "--knative", "1.7"], UsageError),
    ],
)
def test_what_cannot_be_packed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    error: type[Exception],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(bundle, arguments)
    assert isinstance(done.exception, error)
