"""Taking a diagnostics bundle into a run folder: redacted, bounded, and never by a link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.core.redact import redact_bytes

FILE_LIMIT = 256 * 1024
BUNDLE_LIMIT = 2 * 1024 * 1024
FILE_COUNT = 200
LAST = "provider"
"""The folder that gives way first: the logs of a whole node may be many."""
_CLEAR = 64 * 1024
"""What is read before the part of a large file that is kept."""


def bundle_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """The files below `source` as they may be kept, by name: each at most FILE_LIMIT bytes (its
    end: what went wrong stands last), all together at most BUNDLE_LIMIT, FILE_COUNT of them.

    A file `left-out.txt` names what did not fit. Links are left out: they may lead anywhere.
    """
    left, left_out = BUNDLE_LIMIT, []
    found = sorted(source.rglob("*"), key=lambda path: (path.is_relative_to(source / LAST), path))
    for number, path in enumerate(found):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(source).as_posix()
        if path.is_symlink() or not path.is_file() or number >= FILE_COUNT:
            left_out.append(name)
            continue
        content = _bounded(path)
        if len(content) > left:
            left_out.append(name)
            continue
        left -= len(content)
        yield name, content
    if left_out:
        yield "left-out.txt", "".join(f"{name}\n" for name in left_out).encode()


def _bounded(path: Path) -> bytes:
    """The end of a file, redacted before it is cut, so that no cut leaves half a secret unseen."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - FILE_LIMIT - _CLEAR))
        content = redact_bytes(file.read(FILE_LIMIT + _CLEAR))
    if size > FILE_LIMIT + _CLEAR:
        content = content[_CLEAR:]  # may begin in the middle of a secret
    elif len(content) <= FILE_LIMIT:
        return content
    cut = f"({size - FILE_LIMIT} bytes before this were left out)\n".encode()
    return cut + content[-FILE_LIMIT:]
