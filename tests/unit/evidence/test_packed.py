"""Compressed files are read in bounded time and memory, and only as what they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.evidence.packed import MAX_LINE, NotPacked, packed_lines, unpacked

LIMIT = 1 << 20


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=4000), st.sampled_from([1, 7, 50]))
def test_what_was_packed_comes_back(tmp_path: Path, content: bytes, times: int) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(content * times))
    assert unpacked(file, limit=LIMIT) == content * times
    lines = list(packed_lines(file, limit=LIMIT))
    assert b"".join(lines) == content * times
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines[:-1])


PACKED = gzip.compress(b"one\ntwo\n" * 1000, mtime=0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "in the middle"),
        (PACKED[:-9], "in the middle"),
        (b"no gzip", "incorrect header"),
        (PACKED + b"more", "after its end"),
        (PACKED + PACKED, "after its end"),
        (PACKED + bytes(100_000), "after its end"),
        (PACKED[:-8] + bytes(8), "incorrect data check"),
        (gzip.compress(bytes(LIMIT + 1)), "more than"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(content)
    with pytest.raises(NotPacked, match=why):
        unpacked(file, limit=LIMIT)


def test_a_line_without_an_end_is_given_up(tmp_path: Path) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(b"one\n" + bytes(MAX_LINE + (1 << 20)), 1))
    with pytest.raises(NotPacked, match="a line of more than"):
        list(packed_lines(file, limit=1 << 30))
