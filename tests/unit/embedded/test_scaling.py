"""Recorded loads: how they are found, and the scales that the decider gives for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.conformance import scaling
from tests.embedded.conformance.autoscaling import areas
from tests.embedded.conformance.histories import values

MANIFEST = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: busy, namespace: shop}
spec:
  template:
    metadata:
      annotations: {autoscaling.knative.dev/target: '10', autoscaling.knative.dev/max-scale: '5'}
    spec:
      containers: [{image: dev.local/hello:v1}]
"""
# golden 06-kpa: clients and times of the recorded load, and the changes that followed.
PHASES = [
    {"clients": 10, "start": 0.0, "dur": 75, "codes": {"200": 1490}, "p50_ms": 504.0},
    {"clients": 50, "start": 75.21, "dur": 75, "codes": {"200": 7450}, "p50_ms": 504.2},
    {"clients": 0, "start": 150.61, "codes": {}, "p50_ms": None},
]
CHANGES = [(-2.71, 1), (5.33, 2), (77.34, 4), (79.38, 5), (177.34, 4), (185.32, 3), (193.35, 2),
           (203.34, 1), (211.29, 0)]  # fmt: skip
READY = [(-5.43, 1), (6.55, 2), (78.81, 3), (78.9, 4), (80.79, 5), (177.42, 4), (185.4, 3),
         (193.39, 2), (203.44, 1), (211.49, 0)]  # fmt: skip


def write(folder: Path, *, manifest: str = MANIFEST, timeline: bool = True, **changed: Any) -> Path:
    samples = [{"t": max(t, 0.0), "desired": n, "deploySpec": n, "deployReady": n}
               for t, n in CHANGES]  # fmt: skip
    content = {"phases": PHASES, "samples_1s": samples} | changed
    folder.mkdir(parents=True)
    path = folder / "load.json"
    path.write_text(json.dumps(content))
    if manifest:
        (folder / "service.yaml").write_text(manifest)
    if timeline:
        scaled = [(t, "PodAutoscaler/busy-00001", {"desired": n}) for t, n in CHANGES]
        ready = [(t, "Deployment/busy-00001-deployment", {"spec": n, "ready": n}) for t, n in READY]
        lines = [f"{t:8.2f} {name} {json.dumps(f)}" for t, name, f in sorted(scaled + ready)]
        (folder / "timeline.txt").write_text("\n".join(lines))
    return path


def only(root: Path) -> scaling.Recording:
    [(_, recording)] = scaling.recordings(root)
    assert recording is not None
    return recording


def test_a_load_is_found_by_its_form(tmp_path: Path) -> None:
    write(tmp_path / "any" / "where")
    recording = only(tmp_path)
    assert values(recording.desired) == ["1", "2", "4", "5", "4", "3", "2", "1", "0"]
    assert (recording.quiet, recording.end) == (pytest.approx(150.21), 211.49)
    assert [path.name for path in recording.source] == ["load.json", "service.yaml", "timeline.txt"]


def test_without_a_timeline_the_samples_count(tmp_path: Path) -> None:
    write(tmp_path / "a", timeline=False)
    recording = only(tmp_path)
    assert values(recording.replicas) == ["1", "2", "4", "5", "4", "3", "2", "1", "0"]
    assert recording.active == ()


@pytest.mark.parametrize(
    ("manifest", "changed"),
    [
        ("", {}),
        ("x: [", {}),
        (MANIFEST, {"phases": [{"clients": "many"}]}),
        (MANIFEST, {"phases": 3}),
        (MANIFEST, {"samples_1s": [3]}),
    ],
)
def test_what_cannot_be_replayed_says_so(tmp_path: Path, manifest: str, changed: Any) -> None:
    path = write(tmp_path / "a", manifest=manifest, **changed)
    assert list(scaling.recordings(tmp_path)) == [(path, None)]
    assert [area.name for area in areas(tmp_path)] == ["a/load"]


def test_the_decider_gives_the_recorded_scales(tmp_path: Path) -> None:
    write(tmp_path / "a")
    recording = only(tmp_path)
    got = scaling.decided(
        recording,
        first_tick=scaling.tick_of(recording.desired),
        ready=scaling.recorded_ready(recording),
    )
    assert values(got) == values(recording.desired)
    allowed = scaling.tolerance(recording, recording.desired)
    for index, (before, after) in enumerate(zip(recording.desired, got, strict=True)):
        assert abs(before.at - after.at) <= allowed.get(index, 0.0)


def test_another_target_gives_other_scales(tmp_path: Path) -> None:
    write(tmp_path / "a", manifest=MANIFEST.replace("target: '10'", "target: '100'"))
    recording = only(tmp_path)
    assert values(recording.desired) not in [list(found) for found in scaling.possible(recording)]


def test_ticks_elsewhere_may_leave_a_step_out(tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert scaling.possible(only(tmp_path)) == {
        ("1", "2", "4", "5", "4", "3", "2", "1", "0"),
        ("1", "2", "5", "4", "3", "2", "1", "0"),
    }
