"""Taking a diagnostics bundle into a run folder: redacted, bounded, and never by a link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.core.redact import redact_bytes

FILE_LIMIT = 512 * 1024
BUNDLE_LIMIT = 4 * 1024 * 1024
FILE_COUNT = 200


def bundle_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """The files below `source` as they may be kept, by name: each at most FILE_LIMIT bytes (its
    end: what went wrong stands last), all together at most BUNDLE_LIMIT, FILE_COUNT of them.

    A file `left-out.txt` names what did not fit. Links are left out: they may lead anywhere.
    """
    left, left_out = BUNDLE_LIMIT, []
    for number, path in enumerate(sorted(source.rglob("*"))):
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
    """The file, redacted whole and then cut, so that no cut leaves half a secret unseen."""
    content = redact_bytes(path.read_bytes()[-8 * FILE_LIMIT :])
    if len(content) <= FILE_LIMIT:
        return content
    cut = f"({len(content) - FILE_LIMIT} bytes before this were left out)\n".encode()
    return cut + content[-FILE_LIMIT:]
