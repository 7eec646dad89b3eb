"""Reading what is compressed with gzip, in bounded time and memory whatever the file holds.

Python's own reader skips zeros after the end one by one and goes on with whatever follows: files
of a run are one member and nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

_GZIP = zlib.MAX_WBITS | 16
_CHUNK = 1 << 16
MAX_LINE = 1 << 22


class NotPacked(ValueError):
    """A file that is not one member of gzip, or that holds more than it may."""


def packed_lines(path: Path, *, limit: int) -> Iterator[bytes]:
    """The lines of a compressed file, ends included; at most `limit` bytes of them.

    Errors:
        NotPacked: it is not compressed, torn, has something after its end, or holds more, or a
            line of it is longer than `MAX_LINE`: putting it together would take for ever.
        OSError: it cannot be read.
    """
    left = b""
    for part in _parts(path, limit):
        *whole, left = (left + part).split(b"\n")
        if len(left) > MAX_LINE:
            raise NotPacked(f"a line of more than {MAX_LINE} bytes")
        yield from (line + b"\n" for line in whole)
    if left:
        yield left


def unpacked(path: Path, *, limit: int) -> bytes:
    """All that a compressed file holds.

    Errors:
        NotPacked, OSError: as `packed_lines`.
    """
    return b"".join(_parts(path, limit))


def _parts(path: Path, limit: int) -> Iterator[bytes]:
    reader, read = zlib.decompressobj(_GZIP), 0
    with path.open("rb") as file:
        while not reader.eof:
            packed = reader.unconsumed_tail or file.read(_CHUNK)
            if not packed:
                raise NotPacked("it ends in the middle")
            try:
                part = reader.decompress(packed, _CHUNK)
            except zlib.error as error:
                raise NotPacked(str(error)) from error
            read += len(part)
            if read > limit:
                raise NotPacked(f"more than {limit} bytes")
            yield part
        if reader.unused_data or file.read(1):
            raise NotPacked("something follows after its end")
