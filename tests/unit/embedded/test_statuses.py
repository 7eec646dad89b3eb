"""Which recordings of conditions are found, and how they are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.embedded.conformance import statuses


def status(state: str, reason: str = "", message: str = "") -> dict[str, Any]:
    condition = {"type": "Ready", "status": state, "reason": reason, "message": message}
    return {"conditions": [condition], "observedGeneration": 1}


def test_folders_with_manifests_and_statuses_are_areas(tmp_path: Path) -> None:
    for name in ("a/manifest-x.yaml", "a/status-10s.json", "b/status-10s.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    assert [area.name for area in statuses.areas(tmp_path)] == ["a/status"]


@pytest.mark.parametrize(
    ("got", "agrees"),
    [
        (status("False", "Broken", "on 10.0.0.9"), True),
        (status("False", "Broken", "on another machine"), False),
        (status("False", "Other", "on 10.0.0.1"), False),
        (status("True"), False),
        ({}, False),
    ],
)
def test_conditions_agree_but_for_what_differs_between_clusters(
    got: dict[str, Any], agrees: bool
) -> None:
    found = list(statuses.compare(status("False", "Broken", "on 10.0.0.1"), got))
    assert (not found) is agrees
