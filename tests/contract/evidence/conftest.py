"""One golden set for the whole session, and a copy of it for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.golden import Golden, make_golden


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    """The golden set itself; tests only read it."""
    return make_golden(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def golden(untouched: Golden, tmp_path: Path) -> Golden:
    """A copy of the golden set that a test may spoil."""
    root = tmp_path / "copy"
    shutil.copytree(untouched.reports.parent, root)
    return untouched.at(root)
