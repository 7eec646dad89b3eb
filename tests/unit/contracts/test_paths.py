"""Paths as texts."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.paths import is_below, leaves

PARTS = st.lists(st.sampled_from(["a", "b", "ab", "a.b"]), min_size=1, max_size=4)


@pytest.mark.parametrize("path", ["/x", "..", "../x", "x/..", "x/../y", "//x"])
def test_paths_that_leave(path: str) -> None:
    assert leaves(path)


@pytest.mark.parametrize("path", ["x", "x/y", "..x", "x..", "x/...", "./x", ""])
def test_paths_that_stay(path: str) -> None:
    assert not leaves(path)


@given(PARTS, PARTS)
def test_below_is_what_pathlib_says(path: list[str], folder: list[str]) -> None:
    wanted = PurePosixPath(*path).is_relative_to(PurePosixPath(*folder))
    assert is_below("/".join(path), ["/".join(folder)]) is wanted
    assert is_below("/".join(path), ["/".join(folder) + "/"]) is wanted


def test_nothing_is_below_no_folder() -> None:
    assert not is_below("a", [])
