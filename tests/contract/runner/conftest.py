from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.runner import Desk, make_desk

MEMORY = Path("/dev/shm")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A repository with a policy and manifests, and a stand-in cluster."""
    return make_desk(tmp_path)


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of fsyncs say nothing on a busy disk."""
    folder = Path(tempfile.mkdtemp(prefix="vpm-test-", dir=MEMORY if MEMORY.is_dir() else None))
    yield folder
    shutil.rmtree(folder)
