"""Volumes as folders."""

import base64
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.kubelet.volumes import VolumeError, mounts, set_up

CONFIG = {
    "data": {"a.txt": "text"},
    "binaryData": {"agent.pyz": base64.b64encode(b"\0\1").decode()},
}
SECRET = {"data": {"key": base64.b64encode(b"geheim").decode()}}


def lookup(kind: str, name: str) -> dict[str, Any] | None:
    return {("ConfigMap", "config"): CONFIG, ("Secret", "secret"): SECRET}.get((kind, name))


def pod(*volumes: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "ns"}, "spec": {"volumes": list(volumes)}}


def made(folder: Path, **volume: Any) -> Path:
    paths = set_up(pod({"name": "v", **volume}), folder, lookup, lambda _pod: "token")
    return paths["v"]


def test_a_config_map_is_a_folder_of_its_keys(tmp_path: Path) -> None:
    path = made(tmp_path, configMap={"name": "config"})
    assert (path / "a.txt").read_text() == "text"
    assert (path / "agent.pyz").read_bytes() == b"\0\1"


def test_items_choose_keys_paths_and_modes(tmp_path: Path) -> None:
    items = [{"key": "a.txt", "path": "deep/b.txt", "mode": 0o400}]
    path = made(tmp_path, configMap={"name": "config", "items": items})
    assert [p.name for p in path.rglob("*.txt")] == ["b.txt"]
    assert (path / "deep/b.txt").stat().st_mode & 0o777 == 0o400


def test_secrets_and_the_default_mode(tmp_path: Path) -> None:
    path = made(tmp_path, secret={"secretName": "secret", "defaultMode": 0o440})
    assert (path / "key").read_text() == "geheim"
    assert (path / "key").stat().st_mode & 0o777 == 0o440


def test_projected_sources_share_a_folder(tmp_path: Path) -> None:
    sources = [
        {"serviceAccountToken": {"path": "token"}},
        {"configMap": {"name": "config", "items": [{"key": "a.txt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]
            }
        },
    ]
    path = made(tmp_path, projected={"sources": sources})
    assert {p.name: p.read_text() for p in path.iterdir()} == {
        "token": "token", "ca.crt": "text", "ns": "ns",
    }  # fmt: skip


def test_an_empty_dir_is_for_everyone(tmp_path: Path) -> None:
    assert made(tmp_path, emptyDir={}).stat().st_mode & 0o777 == 0o777


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "nope"}}, 'configmap "nope" not found'),
        ({"secret": {"secretName": "nope"}}, 'secret "nope" not found'),
        ({"nfs": {"server": "x"}}, "volumes of type nfs are not served"),
        (
            {"configMap": {"name": "config", "items": [{"key": "b", "path": "b"}]}},
            "references non-existent config key: b",
        ),
    ],
)
def test_what_cannot_be_set_up_is_said(
    tmp_path: Path, volume: dict[str, Any], message: str
) -> None:
    with pytest.raises(VolumeError, match=message) as caught:
        made(tmp_path, **volume)
    assert str(caught.value).startswith('MountVolume.SetUp failed for volume "v" : ')


def test_an_optional_source_may_be_missing(tmp_path: Path) -> None:
    assert not list(made(tmp_path, configMap={"name": "nope", "optional": True}).iterdir())


def test_mounts_with_a_part_of_a_volume(tmp_path: Path) -> None:
    container = {
        "volumeMounts": [
            {"name": "v", "mountPath": "/agent", "readOnly": True},
            {"name": "v", "mountPath": "/data", "subPath": "inner"},
        ]
    }
    found = mounts(container, {"v": tmp_path})
    assert found == ((str(tmp_path), "/agent", True), (str(tmp_path / "inner"), "/data", False))
