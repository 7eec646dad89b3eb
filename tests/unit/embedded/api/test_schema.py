"""Defaults and rules of a CRD's schema; objects in other versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.api import schema, versions
from infra.embedded.api.shapes import of_schema
from infra.embedded.errors import Invalid
from infra.embedded.kinds import EVENT, EVENT_V1, HPA, HPA_V1, Kind

WIDGET = Kind("example.com", "v1", "Widget", "widgets", custom=True)


def of(properties: dict[str, Any]) -> Kind:
    spec = {"type": "object", "properties": properties}
    return replace(WIDGET, shape=of_schema({"type": "object", "properties": {"spec": spec}}))


@pytest.mark.parametrize(
    ("properties", "spec", "filled"),
    [
        ({"a": {"type": "integer", "default": 1}}, {}, {"a": 1}),
        ({"a": {"type": "integer", "default": 1}}, {"a": 2}, {"a": 2}),
        ({"a": {"type": "integer", "default": 1}}, {"a": None}, {"a": 1}),
        ({"a": {"type": "integer", "default": 1, "nullable": True}}, {"a": None}, {"a": None}),
        ({"o": {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}}, {}, {}),
        ({"o": {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}},
         {"o": {}}, {"o": {"a": 1}}),
        ({"m": {"type": "object", "additionalProperties": {
            "type": "object", "properties": {"a": {"type": "integer", "default": 1}}}}},
         {"m": {"x": {}}}, {"m": {"x": {"a": 1}}}),
    ],
)  # fmt: skip
def test_defaults(properties: dict[str, Any], spec: Any, filled: Any) -> None:
    obj = {"metadata": {"name": "w"}, "spec": spec}
    schema.default(of(properties), obj)
    assert obj["spec"] == filled


def test_a_default_is_not_shared() -> None:
    kind = of({"list": {"type": "array", "items": {"type": "string"}, "default": []}})
    first: dict[str, Any] = {"spec": {}}
    second: dict[str, Any] = {"spec": {}}
    schema.default(kind, first)
    first["spec"]["list"].append("mine")
    schema.default(kind, second)
    assert second["spec"]["list"] == []


@pytest.mark.parametrize(
    ("rules", "good", "bad"),
    [
        ({"type": "string", "minLength": 2}, "ab", "a"),
        ({"type": "string", "maxLength": 2}, "ab", "abc"),
        ({"type": "string", "pattern": "^a"}, "ab", "ba"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 2, 1),
        ({"type": "integer", "maximum": 3, "exclusiveMaximum": True}, 2, 3),
        ({"type": "integer", "multipleOf": 5}, 10, 12),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1}, ["a"], []),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["a"], ["a", "b"]),
        ({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1},
         {"a": "b"}, {"a": "b", "c": "d"}),
        ({"type": "boolean"}, True, 1),
    ],
)  # fmt: skip
def test_rules(rules: dict[str, Any], good: Any, bad: Any) -> None:
    kind = of({"field": rules})
    schema.check(kind, {"metadata": {"name": "w"}, "spec": {"field": good}})
    with pytest.raises(Invalid, match=r"spec\.field"):
        schema.check(kind, {"metadata": {"name": "w"}, "spec": {"field": bad}})


texts = st.text(max_size=5)


@given(st.fixed_dictionaries({"message": texts, "count": st.integers(), "reason": texts}))
def test_events_survive_both_ways(fields: dict[str, Any]) -> None:
    core = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, **fields}
    view = versions.shown_object(EVENT_V1, core)
    assert view["note"] == fields["message"]
    assert versions.kept(EVENT_V1, view) == core
    assert versions.storage_kind(EVENT_V1) is EVENT


def test_autoscalers_in_two_versions() -> None:
    old = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
           "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 60}}  # fmt: skip
    new = versions.kept(HPA_V1, old)
    assert new["apiVersion"] == HPA.api_version
    assert new["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
    assert versions.shown_object(HPA_V1, new) == old
