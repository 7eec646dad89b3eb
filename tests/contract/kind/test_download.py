"""The pinned kind: downloaded only when it is allowed, run only with its pinned checksum."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.core.errors import ClusterError
from infra.clusters.choose import find_kind
from infra.clusters.errors import ToolMissing
from infra.clusters.kind_download import downloaded_kind, this_platform
from infra.knative.catalogue import Download, load_catalogue, version_tuple
from infra.knative.digests import DigestMismatch, sha256

CONTENT = b"#!/bin/sh\necho kind v0.29.0\n"
PINNED = Download("0.29.0", "https://x/v{version}/kind-{platform}", {"p": sha256(CONTENT)})


def fetch(url: str) -> bytes:
    assert url == "https://x/v0.29.0/kind-p"
    return CONTENT


def nothing(url: str) -> bytes:
    raise ClusterError(f"{url} cannot be downloaded: no network")


def test_it_is_downloaded_once(tmp_path: Path) -> None:
    cache = tmp_path / "knative"
    program = downloaded_kind(pinned=PINNED, place="p", cache=cache, fetch=fetch)
    assert program.read_bytes() == CONTENT
    assert program.stat().st_mode & 0o111
    assert downloaded_kind(pinned=PINNED, place="p", cache=cache, fetch=nothing) == program


@pytest.mark.parametrize("content", [b"", b"<html>", CONTENT + b"\n"])
def test_another_content_is_neither_kept_nor_run(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DigestMismatch, match="is not the kind that is pinned"):
        downloaded_kind(pinned=PINNED, place="p", cache=tmp_path, fetch=lambda _url: content)
    assert not [path for path in tmp_path.parent.rglob("kind-p*") if tmp_path in path.parents]


def test_what_was_changed_afterwards_is_not_run(tmp_path: Path) -> None:
    program = downloaded_kind(pinned=PINNED, place="p", cache=tmp_path / "c", fetch=fetch)
    program.write_bytes(b"#!/bin/sh\nrm -rf /\n")
    with pytest.raises(DigestMismatch):
        downloaded_kind(pinned=PINNED, place="p", cache=tmp_path / "c", fetch=fetch)


def test_a_platform_without_a_checksum_gets_nothing(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no kind is pinned for plan9-mips"):
        downloaded_kind(pinned=PINNED, place="plan9-mips", cache=tmp_path, fetch=fetch)


def test_no_network_is_an_error_with_a_name(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="cannot be downloaded"):
        downloaded_kind(pinned=PINNED, place="p", cache=tmp_path, fetch=nothing)


def test_every_platform_is_pinned() -> None:
    pinned = load_catalogue().kind_download
    assert set(pinned.sha256) == {
        f"{system}-{machine}" for system in ("linux", "darwin") for machine in ("amd64", "arm64")
    }
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in pinned.sha256.values())
    assert len(set(pinned.sha256.values())) == len(pinned.sha256)
    assert version_tuple(pinned.version) >= version_tuple(load_catalogue().kind_minimum)
    assert re.fullmatch(r"[a-z0-9]+-\w+", this_platform())


@pytest.mark.parametrize("download", [False, True])
def test_what_was_named_is_never_replaced_by_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, download: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KIND_BIN", raising=False)
    with pytest.raises(ToolMissing, match="/nowhere/kind"):
        find_kind("/nowhere/kind", download=download)
    monkeypatch.setenv("KIND_BIN", "/nowhere/kind")
    with pytest.raises(ToolMissing, match="/nowhere/kind"):
        find_kind(None, download=download)


def test_nothing_is_downloaded_unless_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KIND_BIN", raising=False)
    with pytest.raises(ToolMissing, match="kind was not found"):
        find_kind(None)
