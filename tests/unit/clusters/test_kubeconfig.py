"""Pinning a context."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.core.errors import ClusterError, UsageError
from infra.clusters.errors import WrongContext
from infra.clusters.kubeconfig import contexts_of, kubeconfig_files, pin, whole


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("contexts: [{name: dev}, {name: kind-vpm-mini}]\ncurrent-context: prod\n")
    second.write_text("contexts: [{name: prod}]\n")
    return first, second


def test_the_file_that_holds_the_context_is_taken(files: tuple[Path, Path]) -> None:
    assert pin("prod", files=files).kubeconfig == files[1]
    assert pin("dev", files=files).kubeconfig == files[0]


def test_the_current_context_is_never_taken(files: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="needs a context by name"):
        pin(None, files=files)


@pytest.mark.parametrize("allowed", [["dev"], ["kind-*"], ["staging", "d?v"], []])
def test_allowed(files: tuple[Path, Path], allowed: list[str]) -> None:
    context = "kind-vpm-mini" if allowed == ["kind-*"] else "dev"
    assert pin(context, allowed=allowed, files=files).context == context


@pytest.mark.parametrize("allowed", [["kind-*"], ["Dev"], ["de"]])
def test_not_allowed(files: tuple[Path, Path], allowed: list[str]) -> None:
    with pytest.raises(WrongContext, match="context 'dev' is not allowed here") as caught:
        pin("dev", allowed=allowed, files=files)
    assert "vpm runner approve FILE... --context dev --by NAME" in caught.value.mend


def test_an_unknown_context_names_those_there_are(files: tuple[Path, Path]) -> None:
    with pytest.raises(WrongContext, match="dev, kind-vpm-mini, prod"):
        pin("nope", files=files)


def test_missing_files_hold_no_contexts(tmp_path: Path) -> None:
    assert contexts_of(tmp_path / "nothing") == ()
    with pytest.raises(WrongContext, match="there are: none"):
        pin("dev", files=[tmp_path / "nothing"])


@pytest.mark.parametrize("content", [b"a: [b", b"\xff\xfe\x00"])
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)
    with pytest.raises(ClusterError, match="cannot be read as a kubeconfig"):
        contexts_of(file)


SPLIT = {
    "contexts": "contexts: [{name: dev, context: {cluster: c, user: u, namespace: team}}]\n",
    "clusters": "clusters: [{name: c, cluster: {server: 'https://192.0.2.1', "
    "certificate-authority: ca.pem}}]\n",
    "users": "users: [{name: u, user: {token: abc}}, {name: other, user: {token: def}}]\n",
}


@pytest.fixture
def split(tmp_path: Path) -> list[Path]:
    """A kubeconfig in three files and folders; paths in them start from their own folder."""
    files = []
    for name, text in SPLIT.items():
        file = tmp_path / name / "config"
        file.parent.mkdir()
        file.write_text(f"apiVersion: v1\nkind: Config\n{text}")
        files.append(file)
    (tmp_path / "clusters" / "ca.pem").write_text("certificate")
    return files


def test_a_context_whose_cluster_and_user_are_in_other_files(split: list[Path]) -> None:
    with whole(pin("dev", files=split), split) as joined:
        assert joined.kubeconfig not in split
        assert joined.kubeconfig.stat().st_mode & 0o077 == 0
        content = yaml.safe_load(joined.kubeconfig.read_text())
    assert not joined.kubeconfig.exists()
    assert [user["user"] for user in content["users"]] == [{"token": "abc"}]
    (cluster,) = content["clusters"]
    assert b64decode(cluster["cluster"]["certificate-authority-data"]) == b"certificate"
    assert [context["name"] for context in content["contexts"]] == ["dev"]


def test_a_whole_file_is_used_as_it_is(tmp_path: Path, split: list[Path]) -> None:
    file = tmp_path / "all"
    file.write_text("".join(SPLIT.values()))
    with whole(pin("dev", files=[file, *split]), [file, *split]) as pinned:
        assert pinned.kubeconfig == file


def test_files_that_cannot_be_joined(split: list[Path]) -> None:
    split[2].write_text("users: 5\n")
    with (
        pytest.raises(ClusterError, match="cannot be joined"),
        whole(pin("dev", files=split), split),
    ):
        pass


def test_the_environment_names_the_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: tuple[Path, Path]
) -> None:
    read: Callable[[], tuple[Path, ...]] = kubeconfig_files
    monkeypatch.setenv("KUBECONFIG", f"{files[0]}:{files[1]}")
    assert read() == files
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read() == (tmp_path / ".kube" / "config",)
