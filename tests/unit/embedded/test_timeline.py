"""Recorded events, and those of a cluster, in a form that can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.embedded.conformance import timeline

POD = "hello-00001-deployment-74b66f6cf4-6klfs"
LINES = (
    "# seconds after apply",
    "   0.126 ADDED    Service/hello gen=1 rv=1586 changed:[] {}",
    '   0.159 EVENT Normal Service/hello Created: Created Configuration "hello" (x1) from=s-c',
    f"   0.731 EVENT Normal Pod/{POD} Scheduled: Successfully assigned default/{POD} to klab"
    " (xNone) from=None",
    '   0.8 EVENT Normal Service/hello Created: Created Route "hello" (x1) from=service-controller',
    "   1.746 EVENT Warning Revision/hello-00001 InternalError: failed: Operation cannot be"
    " fulfilled on deployments (x1) from=revision-controller",
    '   1.9 EVENT Normal Service/hello Created: Created Route "hello" (x2) from=service-controller',
)


SERVICE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: shop}
"""


def event(about: str, reason: str, message: str, revision: int) -> dict[str, Any]:
    kind, name = about.split("/")
    return {
        "metadata": {"resourceVersion": str(revision)},
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
    }


def test_the_same_events_agree_whatever_the_names_that_are_made_up() -> None:
    pod = "hello-00001-deployment-5f6c7d8e9f-abcde"
    live = [
        event("Service/hello", "Created", 'Created Route "hello"', 12),
        event(f"Pod/{pod}", "Scheduled", f"Successfully assigned default/{pod} to here", 11),
        event("Service/hello", "Created", 'Created Configuration "hello"', 9),
    ]
    assert timeline.shown(live) == timeline.recorded(LINES)


def test_the_order_of_one_objects_events_counts() -> None:
    live = [
        event("Service/hello", "Created", 'Created Route "hello"', 1),
        event("Service/hello", "Created", 'Created Configuration "hello"', 2),
    ]
    before = timeline.recorded(LINES)["Service/hello"]
    assert timeline.shown(live)["Service/hello"] == before[::-1]


def test_a_timeline_beside_its_manifest_is_an_area(tmp_path: Path) -> None:
    for folder, names in {"a": ("timeline.txt", "shop.yaml"), "b": ("timeline.txt",)}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text(SERVICE)
    assert [area.name for area in timeline.areas(tmp_path)] == ["a/timeline (events)"]
