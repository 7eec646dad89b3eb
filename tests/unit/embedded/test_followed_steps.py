"""Timelines beside recorded commands and manifests: which changes they tell of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.embedded.conformance import orders, steps
from tests.embedded.conformance.recorded import entries
from tests.embedded.conformance.services import place, usual, versions


def service(target: str, name: str = "shop") -> dict[str, Any]:
    container = {"image": "dev.local/hello:v1", "env": [{"name": "TARGET", "value": target}]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "mall"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def command(name: str, at: str, **more: Any) -> dict[str, Any]:
    entry = {"name": name, "cmd": "kubectl apply -f -", "rc": 0, "stdout": "", "ms": 500}
    return {**entry, "at": f"2026-11-22T08:00:{at}Z", **more}


# golden 05-gateway/traffic-split-timeline.txt, shortened: generation 2 comes from no command
TIMELINE = """# step at 0.00s: one
# step at 20.00s: two
    0.20 ADDED Service/shop gen=1  null
    1.00 MODIFIED Service/shop gen=1 Ready=True null
   10.00 MODIFIED Service/shop gen=2  null
   10.10 MODIFIED Route/shop gen=2 Ready=True [{"latestRevision": false, "percent": 100, "revisionName": "a", "url": "http://a"}, {"latestRevision": true, "percent": 0, "revisionName": "b", "tag": "t"}]
   20.30 MODIFIED Service/shop gen=3  null
   20.40 MODIFIED Route/shop gen=3 Ready=True [{"percent": 100, "revisionName": "b"}]
"""  # noqa: E501


@pytest.mark.parametrize("shift", ["20.500", "25.500"])
def test_changes_between_commands(tmp_path: Path, shift: str) -> None:
    text = yaml.safe_dump(service("x"))
    recorded = [command("one", "00.500", stdin=text), command("two", shift, stdin=text)]
    (tmp_path / "a.json").write_text(json.dumps(recorded))
    (tmp_path / "a-timeline.txt").write_text(TIMELINE)
    found = steps.of(tmp_path / "a.json", entries(tmp_path / "a.json"))
    if shift != "20.500":  # the timeline of another run
        assert found == steps.Following()
        return
    [(before, change)] = found.between
    assert (before, change.namespace, change.name) == (1, "mall", "shop")
    assert json.loads(change.targets) == [
        {"percent": 100, "revisionName": "a"},
        {"latestRevision": True, "tag": "t"},
    ]
    assert list(found.changes(1)) == [change]
    assert len(found.states) == 6


def write(folder: Path, **documents: Any) -> None:
    for name, document in documents.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(yaml.safe_dump(document))


def test_the_service_of_a_folder_and_its_versions(tmp_path: Path) -> None:
    write(tmp_path, shop=service("One"), shop_changed=service("Two"), ready_x=service("No", "x"),
          manifest_a=service("No", "a"))  # fmt: skip
    found = usual(tmp_path)
    assert found is not None
    assert (found[0].name, place(found[1])) == ("shop.yaml", ("mall", "shop"))
    assert versions(tmp_path, tmp_path, "shop") == [service("One"), service("Two")]
    assert usual(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("verb", "generation", "documents", "uses"),
    [
        ("ADDED", 1, ["shop"], ["events.jsonl", "shop.yaml"]),
        ("MODIFIED", 2, ["shop", "shop_changed"], ["events.jsonl", "shop-changed.yaml",
                                                   "shop.yaml"]),
        ("MODIFIED", 2, ["shop"], []),
        ("ADDED", 1, [], []),
    ],
)  # fmt: skip
def test_streams_whose_change_is_known_are_areas(
    tmp_path: Path, verb: str, generation: int, documents: list[str], uses: list[str]
) -> None:
    write(tmp_path, **{name: service(name) for name in documents})
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    event = {"t": 0.1, "kind": "Service", "type": verb, "name": "shop", "generation": generation}
    (tmp_path / "events.jsonl").write_text(json.dumps({**event, "status": status}))
    found = [sorted(path.name for path in area.uses) for area in orders.areas(tmp_path)]
    assert found == ([uses] if uses else [])
