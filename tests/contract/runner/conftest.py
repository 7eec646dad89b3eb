from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.runner import Desk, make_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A repository with a policy and manifests, and a stand-in cluster."""
    return make_desk(tmp_path)
