"""Durations, flags and domains of Knative's ConfigMaps."""

import pytest

from infra.embedded.clock import Clock
from infra.embedded.controllers.serving.config import (
    SYSTEM,
    Configs,
    Domain,
    domain_for,
    percentage,
    read,
    seconds,
)
from infra.embedded.kinds import CONFIGMAP
from infra.embedded.store import Store


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("0s", 0),
        ("30s", 30),
        ("1m30s", 90),
        ("48h", 172_800),
        ("1.5s", 1.5),
        ("50ms", 0.05),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "30", "s", "1m30", "-5s", "5 s", "abc"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("70", 0.7), ("0.7", 0.7), ("1", 1.0), ("100", 1.0)]
)
def test_percentages(text: str, expected: float) -> None:
    assert percentage(text) == pytest.approx(expected)


def test_an_unreadable_value_is_the_default() -> None:
    assert read({"a": "x"}, "a", int, 5) == 5
    assert read({}, "a", int, 5) == 5
    assert read({"a": " 7 "}, "a", int, 5) == 7


DOMAINS = [
    Domain("example.com", {}),
    Domain("example.org", {"app": "nonprofit"}),
    Domain("svc.cluster.local", {"app": "secret", "tier": "inner"}),
]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "example.com"),
        ({"app": "nonprofit"}, "example.org"),
        ({"app": "secret"}, "example.com"),
        ({"app": "secret", "tier": "inner"}, "svc.cluster.local"),
    ],
)
def test_the_most_specific_domain_wins(labels: dict[str, str], expected: str) -> None:
    assert domain_for(DOMAINS, labels) == expected


def config_map(name: str, data: dict[str, str]) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": SYSTEM}, "data": data}


@pytest.fixture
def store() -> Store:
    return Store(Clock())


def test_settings_are_read_when_they_are_needed(store: Store) -> None:
    configs = Configs(store)
    assert configs.autoscaler().stable_window == 60.0
    created = store.create(CONFIGMAP, config_map("config-autoscaler", {"stable-window": "30s"}))
    assert configs.autoscaler().stable_window == 30.0
    store.update(CONFIGMAP, {**created, "data": {"enable-scale-to-zero": "false"}})
    assert (configs.autoscaler().stable_window, configs.autoscaler().enable_scale_to_zero) == (
        60.0,
        False,
    )


def test_defaults_are_upstreams(store: Store) -> None:
    configs = Configs(store)
    assert configs.deployment().progress_deadline == 600.0
    assert "dev.local" in configs.deployment().skip_resolving
    gc = configs.gc()
    assert (gc.retain_since_create, gc.retain_since_active) == (48 * 3600.0, 15 * 3600.0)
    assert (gc.min_non_active, gc.max_non_active) == (20, 1000)
    assert configs.domains() == [Domain("svc.cluster.local", {})]


def test_disabled_and_selectors(store: Store) -> None:
    store.create(CONFIGMAP, config_map("config-gc", {"retain-since-create-time": "disabled"}))
    text = "selector:\n  app: nonprofit\n"
    store.create(CONFIGMAP, config_map("config-domain", {"example.org": text, "_example": "x"}))
    configs = Configs(store)
    assert configs.gc().retain_since_create is None
    assert configs.domains() == [Domain("example.org", {"app": "nonprofit"})]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"ingress-class": "kourier"}, "kourier"),
        ({"ingress.class": "old"}, "old"),
        ({"ingress-class": "new", "ingress.class": "old"}, "new"),
    ],
)
def test_the_legacy_key_of_the_ingress_class(
    store: Store, data: dict[str, str], expected: str
) -> None:
    store.create(CONFIGMAP, config_map("config-network", data))
    assert Configs(store).network().ingress_class == expected
