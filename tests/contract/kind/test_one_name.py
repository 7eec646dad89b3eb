"""The development cluster's name and ports are defined once; every mention is held against it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.spec.model import ClusterSpec
from infra.clusters.kind_config import (
    HTTP_NODE_PORT,
    HTTPS_NODE_PORT,
    host_ports,
    shipped_config,
    shipped_name,
)

ROOT = Path(__file__).parents[3]
PLACES = ("scenarios", "scripts", "docs", ".github", "infra", "harness", "probes", "codex")
TEXTS = {".yaml", ".yml", ".json", ".md", ".py", ".sh", ""}
DEFINITION = Path("infra/kind-dev/kind-cluster.yaml")

# How a cluster is named: by a context, by kind's option, by an option of ours, by vpm cluster.
NAMED = re.compile(
    r"(?<![\w-])(?:kind|embedded)-(?P<context>vpm[a-z0-9-]*)"
    r"|(?<!\w)(?P<name>vpm-mini[a-z0-9-]*)"
    r"|--name[= ](?P<option>vpm[a-z0-9-]*)"
)
# What may stand behind the name: kind's name of the container.
SUFFIXES = ("", "-control-plane", "-2")
NODE_PORT = re.compile(r"\b3[01]\d{3}\b")


def texts() -> Iterator[tuple[Path, str]]:
    """The tracked texts in which a person or a program may name the cluster."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *PLACES, "README.md", "README.ja.md", "Makefile"],
        cwd=ROOT, capture_output=True, check=False, text=True,
    )  # fmt: skip
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    for name in filter(None, names):
        path = ROOT / name
        if path.suffix in TEXTS and path.is_file():
            yield Path(name), path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def mentions() -> list[tuple[Path, str]]:
    found = [
        (path, str(match.group(match.lastgroup or 0)))
        for path, text in texts()
        for match in NAMED.finditer(text)
    ]
    if not found:
        pytest.skip("these are not the files of a git work tree")
    return found


def test_every_mention_of_the_cluster_is_of_the_one_name(
    mentions: list[tuple[Path, str]],
) -> None:
    allowed = {shipped_name() + suffix for suffix in SUFFIXES}
    assert [(path, name) for path, name in mentions if name not in allowed] == []
    assert {path.parts[0] for path, _ in mentions} >= {"scenarios", "docs", ".github", "infra"}


def test_only_the_definition_says_which_nodeports_there_are(
    mentions: list[tuple[Path, str]],
) -> None:
    allowed = {str(HTTP_NODE_PORT), str(HTTPS_NODE_PORT)}
    strange = [
        (path, port)
        for path, text in texts()
        if path.parts[0] in ("scenarios", "scripts", "docs", ".github")
        for port in NODE_PORT.findall(text)
        if port not in allowed
    ]
    assert strange == []


def test_the_driver_gives_the_ports_that_kind_maps() -> None:
    mapped = {
        mapping["containerPort"]
        for node in yaml.safe_load(shipped_config())["nodes"]
        for mapping in node["extraPortMappings"]
    }
    assert mapped == {HTTP_NODE_PORT, HTTPS_NODE_PORT}
    assert host_ports(shipped_config()).address == "127.0.0.1"


def test_the_scenarios_default_is_the_same() -> None:
    assert ClusterSpec().name == shipped_name()


EMULATED = ROOT / "scenarios" / "faults"
"""Scenarios that break the emulator, on an instance of their own."""


@pytest.mark.parametrize(
    "file",
    [f for f in sorted((ROOT / "scenarios").rglob("scenario.yaml")) if EMULATED not in f.parents],
    ids=lambda file: file.parent.name,
)
def test_every_scenario_is_for_this_cluster(file: Path) -> None:
    cluster = yaml.safe_load(file.read_text(encoding="utf-8")).get("cluster") or {}
    assert cluster.get("name", shipped_name()) == shipped_name()


@pytest.mark.parametrize(
    "file", sorted((ROOT / "scenarios").rglob("contracts/*.json")), ids=lambda file: file.stem
)
def test_contracts_are_for_contexts_of_this_cluster(file: Path) -> None:
    named = NAMED.findall(json.dumps(json.loads(file.read_text(encoding="utf-8"))))
    assert {context for context, _, _ in named if context} <= {shipped_name()}


def test_the_documents_say_the_same_ports() -> None:
    text = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    assert f"NodePorts {HTTP_NODE_PORT} and {HTTPS_NODE_PORT}" in text
    ports = host_ports(shipped_config())
    assert f"ports {ports.http} and {ports.https} of {ports.address}" in text
    assert (ROOT / DEFINITION).read_text(encoding="utf-8") == shipped_config()
