"""Environments: literal values, references, expansion, and what is missing."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.kubelet.environment import (
    ConfigError,
    command_line,
    environment,
    expand,
    port_number,
)

OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("ConfigMap", "settings"): {
        "data": {"colour": "blue", "1bad name": "x"},
        "binaryData": {"raw": base64.b64encode(b"bytes").decode()},
    },
    ("Secret", "keys"): {"data": {"password": base64.b64encode(b"geheim").decode()}},
}
POD = {
    "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "x"}},
    "spec": {"nodeName": "n"},
    "status": {"podIP": "10.0.0.9"},
}


def made(container: dict[str, Any], base: dict[str, str] | None = None) -> dict[str, str]:
    return environment(container, POD, lambda *key: OBJECTS.get(key), base or {})


def value_from(**reference: Any) -> dict[str, Any]:
    return {"env": [{"name": "X", "valueFrom": reference}]}


def test_later_values_win_and_may_refer_to_earlier_ones() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "C_"}],
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)-$(C_colour)-$(NOPE)-$$(A)"},
            {"name": "A", "value": "2"},
        ],
    }
    expected = {"A": "2", "B": "1-blue-$(NOPE)-$(A)", "C_colour": "blue", "C_raw": "bytes"}
    assert made(container) == expected


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"configMapKeyRef": {"name": "settings", "key": "colour"}}, "blue"),
        ({"secretKeyRef": {"name": "keys", "key": "password"}}, "geheim"),
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "p"),
        ({"fieldRef": {"fieldPath": "status.podIP"}}, "10.0.0.9"),
        ({"fieldRef": {"fieldPath": "metadata.labels['app']"}}, "x"),
        ({"fieldRef": {"fieldPath": "status.hostIP"}}, ""),
        ({"resourceFieldRef": {"resource": "limits.memory"}}, "0"),
    ],
)
def test_references(reference: dict[str, Any], value: str) -> None:
    assert made(value_from(**reference)) == {"X": value}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"secretRef": {"name": "nope"}}]}, 'secret "nope" not found'),
        ({"envFrom": [{"configMapRef": {"name": "nope"}}]}, 'configmap "nope" not found'),
        (value_from(secretKeyRef={"name": "nope", "key": "k"}), 'secret "nope" not found'),
        (
            value_from(configMapKeyRef={"name": "settings", "key": "k"}),
            "couldn't find key k in ConfigMap ns/settings",
        ),
    ],
)
def test_what_is_missing_is_named(container: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(container)


@pytest.mark.parametrize(
    "container",
    [
        {"envFrom": [{"secretRef": {"name": "nope", "optional": True}}]},
        value_from(secretKeyRef={"name": "nope", "key": "k", "optional": True}),
        value_from(configMapKeyRef={"name": "settings", "key": "k", "optional": True}),
    ],
)
def test_what_is_optional_may_be_missing(container: dict[str, Any]) -> None:
    assert made(container) == {}


@pytest.mark.parametrize(
    ("container", "line"),
    [
        ({}, ("img", "x")),
        ({"args": ["a"]}, ("img", "x", "a")),
        ({"command": ["c"]}, ("c",)),
        ({"command": ["c"], "args": ["$(N)"]}, ("c", "7")),
    ],
)
def test_the_containers_command_replaces_the_images(
    container: dict[str, Any], line: tuple[str, ...]
) -> None:
    assert command_line(container, ["img", "x"], {"N": "7"}) == line


def test_ports_by_name() -> None:
    container = {"name": "c", "ports": [{"name": "web", "containerPort": 80}]}
    assert (port_number(container, "web"), port_number(container, 81)) == (80, 81)
    with pytest.raises(ConfigError, match="couldn't find port: 'api' for container c"):
        port_number(container, "api")


@given(st.text())
def test_text_without_dollars_stays(text: str) -> None:
    plain = text.replace("$", "")
    assert expand(plain, {"A": "1"}) == plain


@given(st.text(alphabet="$A", max_size=12))
def test_two_dollars_are_one(text: str) -> None:
    assert expand(text, {}) == text.replace("$$", "$")
