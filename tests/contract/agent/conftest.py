"""What the tests of the engine share: certificates, and the zipapp itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.build import build_agent
from tests.contract.agent.certificates import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that the tests' clients trust."""
    return Authority.make(tmp_path_factory.mktemp("authority"), "trusted")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority.make(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zipapp, freshly built."""
    path = tmp_path_factory.mktemp("agent") / "agent.pyz"
    build_agent(path)
    return path
