"""What the harness remembers, in files of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ClusterError
from infra.clusters.state import (
    ClusterFolder,
    CreatedCluster,
    remembered,
    state_home,
    write_atomically,
)

RECORD = CreatedCluster("kind", "a", "kind-a", "/k", "uid", "owner", "2026-01-02T03:04:05+00:00")


def test_a_record_is_read_back_and_forgotten(tmp_path: Path) -> None:
    folder = ClusterFolder.of("kind", "a", home=tmp_path)
    assert folder.record() is None
    folder.remember(RECORD)
    assert folder.record() == RECORD
    assert [record for _, record in remembered(tmp_path)] == [RECORD]
    folder.forget()
    folder.forget()
    assert list(remembered(tmp_path)) == []


@pytest.mark.parametrize("text", ["", "[]", '{"provider": "kind"}', '{"more": 1}'])
def test_a_record_that_cannot_be_understood_is_named(tmp_path: Path, text: str) -> None:
    folder = ClusterFolder.of("kind", "a", home=tmp_path)
    write_atomically(folder.path / "created.json", text)
    with pytest.raises(ClusterError, match=r"created\.json is not a record"):
        folder.record()


def test_a_record_says_what_it_lacks(tmp_path: Path) -> None:
    folder = ClusterFolder.of("kind", "a", home=tmp_path)
    write_atomically(folder.path / "created.json", '{"provider": "kind", "name": "a"}')
    with pytest.raises(ClusterError, match=r"it does not say context, .*uid"):
        folder.record()


def test_only_one_holds_the_lock(tmp_path: Path) -> None:
    folder = ClusterFolder.of("kind", "a", home=tmp_path)
    with folder.locked() as first, folder.locked() as second:
        assert (first, second) == (True, False)
    with folder.locked(wait=True) as third:
        assert third


def test_files_are_private_and_leave_no_temporary_behind(tmp_path: Path) -> None:
    write_atomically(tmp_path / "deep" / "file", "content")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]
    assert (tmp_path / "deep" / "file").stat().st_mode & 0o777 == 0o600


def test_the_state_is_where_the_user_keeps_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_home() == tmp_path / "vpm"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_home() == tmp_path / ".local" / "state" / "vpm"
