"""Files: whole or not at all, and never through a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.runner.files import (
    NotAFile,
    create_whole,
    open_regular,
    read_all,
    read_below,
    read_once,
    write_atomic,
)

OPEN = Path("/proc/self/fd")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content in (b"one", b"", b"three" * 10_000):
        write_atomic(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["x"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "inside").write_text("x")
    with pytest.raises(OSError, match="folder"):
        write_atomic(path, b"new")
    assert names(tmp_path) == ["folder"]


def test_a_file_is_created_only_once(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert create_whole(path, b"first")
    assert not create_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("limit", "length"), [(10, 10), (100, 100), (99, 100), (0, 1), (1000, 100)]
)
def test_one_byte_more_than_the_limit_is_read(tmp_path: Path, limit: int, length: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)
    assert len(read_once(path, limit)) in (length, min(100, limit + 1))
    assert len(read_once(path, limit)) <= limit + 1


def test_reading_starts_at_the_start_each_time(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    descriptor = open_regular(path)
    try:
        assert read_all(descriptor, 10) == read_all(descriptor, 10) == b"abc"
    finally:
        os.close(descriptor)


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [make_link, make_pipe, make_folder])
def test_what_is_no_regular_file(tmp_path: Path, make: object) -> None:
    path = tmp_path / "x"
    assert callable(make)
    make(path)
    with pytest.raises(NotAFile, match="not a regular file"):
        open_regular(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "x")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """root/a/b/file, and links beside each part."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "a" / "link").symlink_to("b")
    (tmp_path / "a" / "b" / "link").symlink_to("file")
    return tmp_path


def test_a_file_below(tree: Path) -> None:
    assert read_below(tree, ["a", "b", "file"], limit=100) == b"content"


@pytest.mark.parametrize(
    "parts",
    [
        ["link", "b", "file"],
        ["a", "link", "file"],
        ["a", "b", "link"],
        ["a", "b"],
        ["a", "b", "file", "x"],
        ["A", "b", "file"],
        ["a", "b", "FILE"],
        ["a", "b", "none"],
        ["none", "b", "file"],
        ["..", "x"],
        [".", "a"],
    ],
)
def test_no_part_may_be_a_link_or_be_spelt_differently(tree: Path, parts: list[str]) -> None:
    with pytest.raises((NotAFile, FileNotFoundError, NotADirectoryError)):
        read_below(tree, parts, limit=100)


def test_no_descriptor_is_left_open(tree: Path) -> None:
    before = len(names(OPEN))
    for parts in (["a", "b", "file"], ["link", "x"], ["a", "link", "x"], ["a", "none"]):
        try:
            read_below(tree, parts, limit=10)
        except OSError:
            continue
    assert len(names(OPEN)) == before
