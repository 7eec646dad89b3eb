"""Files that are there whole or not at all, and that never lie outside their root."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path, PurePosixPath

from harness.core.errors import NotWritten, UsageError

TEMPORARY = ".writing-"
"""How the name of a file begins while it is being written."""


def write_whole(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file under a temporary name, sync it, then give it its name, and sync the folder.

    Errors:
        UsageError: the file is already there and `replace` is False: run folders only grow.
        NotWritten: the disk is full, or the folder is somebody else's.
    """
    try:
        _write_whole(path, content, replace=replace)
    except FileExistsError as error:
        raise UsageError(f"{path} is already there; a run only adds files") from error
    except OSError as error:
        raise NotWritten(path, error) from error


def _write_whole(path: Path, content: bytes, *, replace: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        if replace:
            Path(temporary).replace(path)
        else:
            # A hard link, unlike a rename, fails when the name is taken.
            os.link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    _sync_folder(path.parent)


def read_regular(path: Path, *, limit: int) -> bytes:
    """The bytes of a regular file; a pipe would be waited for without end.

    Errors:
        OSError: it cannot be read, is no regular file, or is larger than `limit` bytes.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "a pipe, socket or device")
    if status.st_size > limit:
        raise OSError(errno.EFBIG, f"{status.st_size} bytes, at most {limit} are read")
    return path.read_bytes()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def inside(root: Path, name: str) -> Path:
    """The file `name` below `root`.

    Errors:
        UsageError: the name is absolute, climbs out with `..`, or leads out through a symlink.
    """
    relative = PurePosixPath(name)
    if relative.is_absolute() or not relative.parts or ".." in relative.parts or "\0" in name:
        raise UsageError(f"{name!r} is not a path below {root}")
    if _has_link(root, relative):
        real, real_root = os.path.realpath(root / relative), os.path.realpath(root)
        if not real.startswith(f"{real_root}/"):
            raise UsageError(f"{name!r} leads out of {root}")
    return root / relative


def _has_link(root: Path, relative: PurePosixPath) -> bool:
    """Whether a part below the root is a link: resolving whole paths of all files is slow."""
    step = str(root)
    for part in relative.parts:
        step = f"{step}/{part}"
        if os.path.islink(step):  # noqa: PTH114  strings: this runs for every file of every run
            return True
    return False
