"""Folders of recordings: what is found in them, and what is said of the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.conformance import recorded, report, zero
from tests.embedded.conformance.__main__ import all_areas, main
from tests.embedded.conformance.durations import late, off
from tests.embedded.conformance.exchanges import areas as exchange_areas
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.running import Result
from tests.embedded.conformance.services import answering, tags, target

COMMAND: dict[str, Any] = {"name": "list", "cmd": "kubectl get ksvc", "rc": 0, "stdout": "x"}


def nothing(_: Replay) -> Iterator[Case]:
    return iter(())


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name.replace("_", ".")).write_text(text)


def test_odd_files_are_no_recordings(tmp_path: Path) -> None:
    write(tmp_path, a_json='{"torn": ', b_json="[" * 100_000, c_json=[3, None, "x"], d_json={},
          e_json=7, status_yaml="x: [", f_json={"phases": 1, "cold starts": 2})  # fmt: skip
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    assert {path for area in all_areas(tmp_path) for path in area.uses} <= {tmp_path / "f.json"}


@pytest.mark.parametrize("files", [{}, {"torn_json": "{"}, {"README_md": "# Nothing"}])
def test_a_folder_without_recordings_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str]
) -> None:
    write(tmp_path, **files)
    assert main([str(tmp_path)]) == 2
    assert "has no recordings that can be replayed" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "nowhere")])
    assert ended.value.code == 2


def test_commands_of_another_form_are_said_to_be_left_out(tmp_path: Path) -> None:
    odd: list[Any] = [3, {"name": "x"}, {**COMMAND, "rc": "0"}, {**COMMAND, "stdout": 5}]
    write(tmp_path, a_json=[COMMAND, *odd])
    assert [entry.command for entry in recorded.entries(tmp_path / "a.json")] == [COMMAND["cmd"]]
    assert [case.name for case in recorded.torn(tmp_path / "a.json")] == [
        "entry 1", "entry 2", "entry 3", "entry 4",
    ]  # fmt: skip


@pytest.mark.parametrize("at", [None, 5, "yesterday"])
def test_a_command_without_a_time_comes_without_a_pause(tmp_path: Path, at: object) -> None:
    write(tmp_path, a_json=[COMMAND, {**COMMAND, "at": at, "ms": None}])
    assert list(recorded.gaps(recorded.entries(tmp_path / "a.json"))) == [0.0, 0.0]


def test_pauses_are_those_between_the_commands(tmp_path: Path) -> None:
    times = ("2026-11-22T08:00:00Z", "2026-11-22T08:00:05Z", "2026-11-22T09:00:00Z")
    write(tmp_path, a_json=[{**COMMAND, "at": at, "ms": 1000} for at in times])
    assert list(recorded.gaps(recorded.entries(tmp_path / "a.json"))) == [0.0, 4.0, 45.0]


def test_exchanges_without_an_answer_are_no_area(tmp_path: Path) -> None:
    sent = {"sent": "GET / HTTP/1.1\r\n\r\n", "status_line": "HTTP/1.1 200 OK"}
    write(tmp_path, a_json={"x": sent}, b_json={"x": {**sent, "headers": 5}})
    assert [area.name for area in exchange_areas(tmp_path)] == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "{", "malformed: "),
        ("a.json", "[" * 100_000, "is nested too deeply"),
        ("a.jsonl", '{"a": 1}\n{"b', "malformed: "),
        ("a.yaml", "a: [", "malformed: "),
        ("a.json", "", "is empty"),
        ("a.txt", "text", "nothing in it is replayed by itself"),
        ("a.md", "# Title", "prose"),
    ],
)
def test_files_that_are_not_used_are_named_with_the_reason(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    (tmp_path / name).write_text(content)
    [line] = report.unused(tmp_path, ())
    assert line.startswith(f"not used: {name} ({reason}")
    assert list(report.unused(tmp_path, [tmp_path / name])) == []


def test_the_report_tells_agreement_differences_and_what_was_left_out() -> None:
    cases = (Case("a"), Case("b", ("x: 1 -> 2",)), Case("c", skipped="no"), Case("d", skipped="no"))
    result = Result(Area("02/x", nothing), cases, scale=2.0, took=3.0)
    assert list(report.area(result)) == [
        "02/x: 1 of 2 agree, 2 not replayed (3 s at time scale 2)",
        "  b",
        "      x: 1 -> 2",
        "  not replayed: 2 (no)",
    ]
    assert report.total([result, result]) == (2, 4)


@pytest.mark.parametrize(
    ("seconds", "slow", "quick"),
    [(30.0, False, False), (61.0, False, False), (61.1, True, False), (25.9, False, True)],
)
def test_allowances_of_durations(seconds: float, slow: bool, quick: bool) -> None:
    assert bool(list(late("x", 30.0, seconds))) == slow
    assert bool(list(off("x", 30.0, seconds))) == (slow or quick)


SERVICE: dict[str, Any] = {
    "metadata": {"name": "split", "namespace": "shop"},
    "spec": {
        "template": {"spec": {"containers": [{"env": [{"name": "TARGET", "value": "Blue"}]}]}},
        "traffic": [{"percent": 100, "tag": "blue"}, {"latestRevision": True}],
    },
}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("split.shop.127.0.0.1.sslip.io", True),
        ("blue-split.shop.127.0.0.1.sslip.io", True),
        ("green-split.shop.127.0.0.1.sslip.io", False),
        ("split.default.127.0.0.1.sslip.io", False),
        ("", False),
    ],
)
def test_the_service_of_a_host(host: str, expected: bool) -> None:
    assert answering(host)(SERVICE) == expected
    assert (tags(SERVICE), target(SERVICE)) == ({"blue"}, "Blue")
    assert target({"spec": {}}) == ""


def test_the_way_to_zero_of_a_service(tmp_path: Path) -> None:
    """golden 05-gateway/scale-to-zero-timeline.txt, shortened."""
    timeline = """
   -1.07 MODIFIED PodAutoscaler/z-00001 Active=True {"desiredScale": -1, "actualScale": 1}
    1.50 MODIFIED PodAutoscaler/z-00001  {"desiredScale": 1, "actualScale": 1}
   59.50 MODIFIED PodAutoscaler/z-00001 Active=False(NoTraffic: x.); Ready=False {"desiredScale": 0}
   90.14 DELETED  Pod/z-00001-deployment-5879b55f8b-pvgjb  {"phase": "Succeeded"}
  112.14 MODIFIED PodAutoscaler/z-00001 Active=Unknown(Queued: x.) {"desiredScale": 1}
"""
    warm = {"z": {"sent": "GET / HTTP/1.1\r\nHost: z.zero.127.0.0.1.sslip.io\r\n\r\n"}}
    write(tmp_path, a_json={"warm": warm, "cold starts": []}, timeline_txt=timeline)
    [area] = zero.areas(tmp_path)
    assert (area.name, area.scale) == ("a", 4.0)
    assert {path.name for path in area.uses} == {"a.json", "timeline.txt"}
    (tmp_path / "timeline.txt").unlink()
    [area] = zero.areas(tmp_path)
    assert area.uses == (tmp_path / "a.json",)
