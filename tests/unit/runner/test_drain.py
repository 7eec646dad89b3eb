"""What is told of an error over one contract."""

from __future__ import annotations

import pytest

from harness.core.errors import UsageError
from harness.runner.drain import trouble


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UsageError("x.json: No such file or directory"), "No such file or directory"),
        (UsageError("the context x.json: is gone"), "the context x.json: is gone"),
        (OSError("disk full"), "disk full"),
    ],
)
def test_the_contract_is_named_once(error: UsageError | OSError, message: str) -> None:
    assert trouble("x.json", error).message == message
