"""Knative's defaults and rules as pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.admission.knative.annotations import (
    check_autoscaling,
    check_rollout,
    seconds,
)
from infra.embedded.admission.knative.changes import spec_changes, template_changes
from infra.embedded.admission.knative.defaults import Defaults, default_revision, default_traffic
from infra.embedded.admission.knative.problems import Problem, invalid, missing, report
from infra.embedded.admission.knative.traffic import check_traffic


# time.ParseDuration of Go.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30), ("1m30s", 90), ("1h0m0s", 3600), ("1.5h", 5400), ("100ms", 0.1), ("-1s", -1),
        ("+2s", 2), ("0", 0), (".5s", 0.5), ("1us", 1e-6),
        ("", None), ("30", None), ("1 s", None), ("s", None), ("1d", None), ("1s-", None),
    ],
)  # fmt: skip
def test_durations(text: str, value: float | None) -> None:
    found = seconds(text)
    assert found == (value if value is None else pytest.approx(value))


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_not(text: str) -> None:
    assert seconds(text) is None or isinstance(seconds(text), float)


def test_a_report_merges_and_sorts() -> None:
    problems = [
        missing("b"),
        invalid("x", "c", "more"),
        missing("a"),
        Problem("Traffic", ("t",)),
    ]
    assert report(problems) == "Traffic: t\ninvalid value: x: c\nmore\nmissing field(s): a, b"


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        ({"window": "6s"}, None),
        ({"window": "6.5s"}, "must be specified with at most second precision"),
        ({"activation-scale": "0"}, "expected 1 <= 0 <= 2147483647"),
        ({"initial-scale": "-1"}, "invalid value: -1"),
        ({"max-scale": "0", "min-scale": "5"}, None),
        ({"target-burst-capacity": "-1"}, None),
        ({"target-burst-capacity": "-2"}, "invalid value: -2"),
        ({"class": "hpa.autoscaling.knative.dev", "metric": "cpu"}, None),
        ({"class": "mine.example.com", "metric": "anything"}, None),
        ({"minScale": "x"}, "invalid value: x"),
        ({"panic-threshold-percentage": "100"}, "expected 110 <= 100 <= 1000"),
    ],
)
def test_autoscaling_annotations(annotations: dict[str, str], problem: str | None) -> None:
    keys = {f"autoscaling.knative.dev/{k}": v for k, v in annotations.items()}
    found = [p.message for p in check_autoscaling(keys, "p", zero_initial=False)]
    assert found == ([problem] if problem else [])


@given(st.lists(st.integers(min_value=0, max_value=100), min_size=1, max_size=5))
def test_percents_must_sum_to_a_hundred(percents: list[int]) -> None:
    targets = [{"revisionName": "r", "latestRevision": False, "percent": p} for p in percents]
    complaints = [p.message for p in check_traffic(targets, "t", service=True)]
    total = sum(percents)
    wanted = [] if total == 100 else [f"Traffic targets sum to {total}, want 100"]
    assert complaints == wanted


def test_a_route_needs_a_target() -> None:
    found = [p.message for p in check_traffic([{"percent": 100}], "t", service=False)]
    assert found == ["expected exactly one, got neither"]


def test_defaults_are_read_leniently() -> None:
    assert Defaults.parse({"revision-timeout-seconds": "x", "_example": "y"}) == Defaults()
    parsed = Defaults.parse(
        {"container-concurrency": "10", "enable-service-links": "default",
         "revision-memory-limit": "1Gi"}
    )  # fmt: skip
    assert (parsed.concurrency, parsed.service_links) == (10, None)
    assert parsed.resources == (("limits", "memory", "1Gi"),)


def test_defaulting_is_idempotent_and_leaves_what_is_set() -> None:
    probe = {"httpGet": {"path": "/"}, "periodSeconds": 5}
    spec: dict[str, Any] = {
        "timeoutSeconds": 10,
        "containers": [{"name": "mine", "image": "i", "readinessProbe": probe}],
    }
    default_revision(spec, Defaults())
    once = repr(spec)
    assert spec["timeoutSeconds"] == 10
    assert spec["containers"][0]["name"] == "mine"
    assert spec["containers"][0]["readinessProbe"] == {
        "httpGet": {"path": "/", "port": 0},
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 3,
        "timeoutSeconds": 1,
    }
    default_revision(spec, Defaults())
    assert repr(spec) == once


def test_only_the_serving_container_gets_a_readiness_probe() -> None:
    spec: dict[str, Any] = {
        "containers": [{"image": "a", "ports": [{"containerPort": 80}]}, {"image": "b"}]
    }
    default_revision(spec, Defaults())
    serving, sidecar = spec["containers"]
    assert serving["readinessProbe"]
    assert "readinessProbe" not in sidecar
    assert [serving["name"], sidecar["name"]] == ["user-container", "user-container-1"]


def test_mounts_of_secrets_are_read_only() -> None:
    spec: dict[str, Any] = {
        "volumes": [{"name": "s", "secret": {}}, {"name": "e", "emptyDir": {}}],
        "containers": [{"volumeMounts": [{"name": "s"}, {"name": "e"}]}],
    }
    default_revision(spec, Defaults())
    mounts = spec["containers"][0]["volumeMounts"]
    assert [mount.get("readOnly", False) for mount in mounts] == [True, False]


@pytest.mark.parametrize(
    ("targets", "latest", "expected"),
    [
        (None, True, [{"latestRevision": True, "percent": 100}]),
        (None, False, None),
        ([{"percent": 100}], True, [{"percent": 100, "latestRevision": True}]),
        (
            [{"revisionName": "r"}],  # golden 05-gateway/traffic-split: only tags, latest 100
            True,
            [{"revisionName": "r", "latestRevision": False, "percent": 0}],
        ),
    ],
)
def test_traffic_defaults(targets: Any, latest: bool, expected: Any) -> None:
    obj: dict[str, Any] = {"spec": {"traffic": targets} if targets else {}}
    default_traffic(obj, latest=latest)
    assert obj["spec"].get("traffic") == expected


def test_changes_in_go_words() -> None:
    """04-failures/ssa-and-updates: edit revision (immutable)."""
    old, new = {"containerConcurrency": 0}, {"containerConcurrency": 5}
    assert spec_changes(old, new) == (
        '*{v1.RevisionSpec}.ContainerConcurrency:\n\t-: "0"\n\t+: "5"\n'
    )
    assert spec_changes(old, old) == ""
    assert template_changes({"spec": old}, {"spec": old}) == ""


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("rollout-duration", "2m", ""),
        ("rolloutDuration", "0s", ""),
        ("rollout-duration", "soon", "invalid value: soon: metadata.annotations.{key}"),
        ("rollout-duration", "1.5s",
         "rollout-duration=1.5s is not at second precision: metadata.annotations.{key}"),
        ("rolloutDuration", "-3s",
         "rollout-duration=-3s must be positive: metadata.annotations.{key}"),
    ],
)  # fmt: skip
def test_rollout_durations(key: str, text: str, expected: str) -> None:
    name = f"serving.knative.dev/{key}"
    found = report(check_rollout({name: text}, "metadata.annotations"))
    assert found == expected.format(key=name)
