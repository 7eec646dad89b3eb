"""What we know of pytest-kind's options, against pytest-kind itself."""

from __future__ import annotations

import pytest

from tests.unit.clusters.test_pytest_kind_options import UNTOUCHED


def test_the_options_are_those_that_pytest_kind_has() -> None:
    plugin = pytest.importorskip("pytest_kind.plugin")
    options: list[str] = []

    class Group:
        def addoption(self, name: str, **_rest: object) -> None:
            options.append(name.removeprefix("--").replace("-", "_"))

    class Parser:
        def getgroup(self, _name: str) -> Group:
            return Group()

    plugin.pytest_addoption(Parser())
    assert set(options) == set(UNTOUCHED)
