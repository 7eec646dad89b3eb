"""Files that matter: written whole or not at all, read once, opened without following links."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotAFile(OSError):
    """What is at the path is not a regular file, or is not what the path says."""


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that readers and crashes see the old content or the new, never a part.

    The folder is not synced: a power cut may leave the old content, never a mixture.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def create_whole(path: Path, content: bytes) -> bool:
    """Create a file with `content` unless something is there; False when something is."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path | str, *, at: int | None = None) -> int:
    """A descriptor of a regular file; a link, pipe, device or folder is refused.

    Errors:
        NotAFile: it is something else. OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, _FILE, dir_fd=at)
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise NotAFile(f"{path} is not a regular file") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(f"{path} is not a regular file")
    return descriptor


def read_all(descriptor: int, limit: int) -> bytes:
    """At most `limit` + 1 bytes from the start of an open file: one more tells "too large"."""
    chunks: list[bytes] = []
    left = limit + 1
    while left and (chunk := os.pread(descriptor, left, limit + 1 - left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def read_once(path: Path, limit: int) -> bytes:
    """At most `limit` + 1 bytes of a regular file.

    Errors:
        NotAFile: it is something else. OSError: it cannot be opened.
    """
    descriptor = open_regular(path)
    try:
        return read_all(descriptor, limit)
    finally:
        os.close(descriptor)


@contextmanager
def folder_below(root: Path, parts: Sequence[str]) -> Iterator[int]:
    """A descriptor of the folder root/part/…, walked without following any link.

    Every name must be spelt as the folder lists it, so that a file system that ignores case
    cannot lead somewhere else than the text says.

    Errors:
        NotAFile: a part is a link or no folder, or is spelt differently. OSError: not there.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            following = _step(descriptor, part)
            os.close(descriptor)
            descriptor = following
        yield descriptor
    finally:
        os.close(descriptor)


def _step(descriptor: int, part: str) -> int:
    _check_spelling(descriptor, part)
    try:
        return os.open(part, _FOLDER, dir_fd=descriptor)
    except NotADirectoryError as error:
        raise NotAFile(f"{part} is a link or no folder") from error


def _check_spelling(descriptor: int, name: str) -> None:
    with os.scandir(descriptor) as entries:
        if not any(entry.name == name for entry in entries):
            raise NotAFile(f"{name} is not there under this name")


def read_below(root: Path, parts: Sequence[str], *, limit: int) -> bytes:
    """At most `limit` + 1 bytes of the regular file root/part/…, reached without any link.

    Errors:
        NotAFile: a part is a link, no folder, no file, or spelt differently. OSError: not there.
    """
    with folder_below(root, parts[:-1]) as folder:
        _check_spelling(folder, parts[-1])
        descriptor = open_regular(parts[-1], at=folder)
    try:
        return read_all(descriptor, limit)
    finally:
        os.close(descriptor)
