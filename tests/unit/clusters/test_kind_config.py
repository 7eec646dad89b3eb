"""kind's configuration and node images."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UsageError
from infra.clusters.errors import VersionSkew
from infra.clusters.kind_config import (
    HTTP_NODE_PORT,
    HTTPS_NODE_PORT,
    HostPorts,
    host_ports,
    node_image,
    render_config,
    shipped_config,
    shipped_name,
    without_digest,
)

ROOT = Path(__file__).parents[3]


def test_the_shipped_configuration() -> None:
    config = yaml.safe_load(shipped_config())
    mappings = config["nodes"][0]["extraPortMappings"]
    assert [(m["containerPort"], m["hostPort"], m["listenAddress"]) for m in mappings] == [
        (31080, 80, "127.0.0.1"),
        (31443, 443, "127.0.0.1"),
    ]
    assert shipped_name() == "vpm-mini"


@pytest.mark.parametrize("name", ["goal_m2", "nightly_sli", "load_hello"])
def test_the_scenarios_use_the_name_that_is_defined_there(name: str) -> None:
    scenario = yaml.safe_load((ROOT / "scenarios" / name / "scenario.yaml").read_text())
    assert scenario["cluster"]["name"] == shipped_name()


def test_scripts_do_not_spell_the_name_again() -> None:
    script = (ROOT / "scripts" / "p2_bootstrap_kind_knative.sh").read_text()
    assert shipped_name() not in script


ports = st.integers(min_value=1, max_value=65535)


@given(
    http=ports,
    https=ports,
    name=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
)
def test_what_is_rendered_is_read_back(http: int, https: int, name: str) -> None:
    wanted = HostPorts("127.0.0.2", http, https)
    text = render_config(name, wanted)
    assert host_ports(text) == wanted
    assert yaml.safe_load(text)["name"] == name


@pytest.mark.parametrize("name", ["", "Vpm", "-a", "a/b", "a" * 60, "a b"])
def test_names_that_kind_would_not_take(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a kind cluster's name"):
        render_config(name, HostPorts())


@pytest.mark.parametrize("missing", [HTTP_NODE_PORT, HTTPS_NODE_PORT])
def test_a_configuration_without_a_mapping(missing: int) -> None:
    config = yaml.safe_load(shipped_config())
    node = config["nodes"][0]
    node["extraPortMappings"] = [
        mapping for mapping in node["extraPortMappings"] if mapping["containerPort"] != missing
    ]
    with pytest.raises(UsageError, match=str(missing)):
        host_ports(yaml.safe_dump(config))


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("kind v0.27.0 go1.23.6 linux/amd64", "kindest/node:v1.32.2"),
        ("kind v0.28.0 go1.24.1 linux/amd64", "kindest/node:v1.32.2"),
        ("kind v0.29.0 go1.24.2 linux/amd64", "kindest/node:v1.33.1"),
        ("kind v0.99.0 go9.9.9 linux/amd64", "kindest/node:v1.36.1"),
    ],
)
def test_the_default_image_is_that_of_the_newest_known_kind_not_newer(
    kind: str, image: str
) -> None:
    found = node_image(kind, "1.18")
    assert without_digest(found) == image
    assert re.fullmatch(r"[^@]+@sha256:[0-9a-f]{64}", found)


@pytest.mark.parametrize(
    ("knative", "asked", "fits"),
    [
        ("1.18", "kindest/node:v1.31.0", True),
        ("1.18", "kindest/node:v1.30.99", False),
        ("1.18", "registry:5000/kindest/node:v1.33.1@sha256:" + "a" * 64, True),
        ("1.23", "kindest/node:v1.33.1", False),
        ("1.23", "kindest/node:v1.34.0", True),
        ("1.18", "my/own-node:latest", True),  # Nobody can tell; the cluster itself will say.
    ],
)
def test_an_image_below_the_minimum_is_refused(knative: str, asked: str, fits: bool) -> None:
    if fits:
        assert node_image("kind v0.29.0", knative, asked=asked) == asked
        return
    with pytest.raises(VersionSkew, match=f"Knative {knative} needs") as caught:
        node_image("kind v0.29.0", knative, asked=asked)
    assert "for example kindest/node:v1." in (caught.value.mend or "")


@pytest.mark.parametrize("version", ["kind v0.17.0 go1.19.2 linux/amd64", "", "garbage"])
def test_an_old_or_unknown_kind(version: str) -> None:
    with pytest.raises(VersionSkew, match="too old"):
        node_image(version, "1.18")
