"""Knative's settings: ConfigMaps of `knative-serving` as typed values, read when they are needed.

A value that cannot be read falls back to the default, as a running Knative keeps its last good
value (its webhook refuses most bad ones).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from infra.embedded.controllers.runtime.controller import Key, Watch, key_of
from infra.embedded.kinds import CONFIGMAP, Kind
from infra.embedded.store import Obj, Store

SYSTEM = "knative-serving"
AUTOSCALER, DEFAULTS, DEPLOYMENT = "config-autoscaler", "config-defaults", "config-deployment"
FEATURES = "config-features"
DOMAIN, GC, NETWORK = "config-domain", "config-gc", "config-network"

T = TypeVar("T")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def seconds(text: str) -> float:
    """A Go duration (`1m30s`) in seconds; raises ValueError."""
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.lstrip("+"):
        raise ValueError(f"not a duration: {text!r}")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def flag(text: str) -> bool:
    return text.lower() in ("true", "enabled", "1")


def percentage(text: str) -> float:
    """A percentage as a ratio; a value of at most 1 already is one."""
    number = float(text)
    return number if number <= 1 else number / 100


def read(data: Mapping[str, str], key: str, parse: Callable[[str], T], default: T) -> T:
    """One value of a ConfigMap."""
    text = data.get(key)
    if text is None:
        return default
    try:
        return parse(text.strip())
    except ValueError:
        return default


@dataclass(frozen=True, slots=True)
class AutoscalerConfig:
    """config-autoscaler; times in seconds, percentages as ratios."""

    enable_scale_to_zero: bool = True
    target_percentage: float = 0.7
    concurrency_target: float = 100.0
    rps_target: float = 200.0
    target_burst_capacity: float = 211.0
    stable_window: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    grace_period: float = 30.0
    pod_retention: float = 0.0
    activator_capacity: float = 100.0
    scale_down_delay: float = 0.0
    initial_scale: int = 1
    allow_zero_initial_scale: bool = False
    min_scale: int = 0
    max_scale: int = 0


@dataclass(frozen=True, slots=True)
class DeploymentConfig:
    """config-deployment; times in seconds."""

    queue_image: str
    progress_deadline: float
    skip_resolving: frozenset[str]
    queue_resources: Mapping[str, Mapping[str, str]]  # requests and limits of queue-proxy


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """config-network."""

    ingress_class: str
    domain_template: str
    tag_template: str
    http_option: str
    rollout_duration: float
    tag_header: bool = False  # of config-features: requests may name a tag in a header


@dataclass(frozen=True, slots=True)
class GcConfig:
    """config-gc; times in seconds, None means disabled."""

    retain_since_create: float | None
    retain_since_active: float | None
    min_non_active: int
    max_non_active: int | None


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of config-domain and the labels that a Route needs for it."""

    name: str
    selector: Mapping[str, str]


QUEUE_IMAGE = "gcr.io/knative-releases/knative.dev/serving/cmd/queue:v1.18.2"
_SKIPPED = "kind.local,ko.local,dev.local"
_RETAIN_CREATED: float | None = 48 * 3600.0
_RETAIN_ACTIVE: float | None = 15 * 3600.0
_MAX_NON_ACTIVE: int | None = 1000


def _seconds_or_none(text: str) -> float | None:
    return None if text == "disabled" else seconds(text)


def _count_or_none(text: str) -> int | None:
    return None if text == "disabled" else int(text)


class Configs:
    """The settings as they are now."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def _data(self, name: str) -> Mapping[str, str]:
        found = self._store.find(CONFIGMAP, SYSTEM, name)
        data: Mapping[str, str] = (found or {}).get("data") or {}
        return data

    def autoscaler(self) -> AutoscalerConfig:
        data, d = self._data(AUTOSCALER), AutoscalerConfig()
        return AutoscalerConfig(
            read(data, "enable-scale-to-zero", flag, d.enable_scale_to_zero),
            read(data, "container-concurrency-target-percentage", percentage, d.target_percentage),
            read(data, "container-concurrency-target-default", float, d.concurrency_target),
            read(data, "requests-per-second-target-default", float, d.rps_target),
            read(data, "target-burst-capacity", float, d.target_burst_capacity),
            read(data, "stable-window", seconds, d.stable_window),
            read(data, "panic-window-percentage", float, d.panic_window_percentage),
            read(data, "panic-threshold-percentage", float, d.panic_threshold_percentage),
            read(data, "max-scale-up-rate", float, d.max_scale_up_rate),
            read(data, "max-scale-down-rate", float, d.max_scale_down_rate),
            read(data, "scale-to-zero-grace-period", seconds, d.grace_period),
            read(data, "scale-to-zero-pod-retention-period", seconds, d.pod_retention),
            read(data, "activator-capacity", float, d.activator_capacity),
            read(data, "scale-down-delay", seconds, d.scale_down_delay),
            read(data, "initial-scale", int, d.initial_scale),
            read(data, "allow-zero-initial-scale", flag, d.allow_zero_initial_scale),
            read(data, "min-scale", int, d.min_scale),
            read(data, "max-scale", int, d.max_scale),
        )

    def deployment(self) -> DeploymentConfig:
        data = self._data(DEPLOYMENT)
        skipped = read(data, "registries-skipping-tag-resolving", str, _SKIPPED)
        return DeploymentConfig(
            read(data, "queue-sidecar-image", str, QUEUE_IMAGE),
            read(data, "progress-deadline", seconds, 600.0),
            frozenset(name.strip() for name in skipped.split(",") if name.strip()),
            _queue_resources(data),
        )

    def network(self) -> NetworkConfig:
        data = self._data(NETWORK)
        old = read(data, "ingress.class", str, "istio.ingress.networking.knative.dev")
        return NetworkConfig(
            read(data, "ingress-class", str, old),
            read(data, "domain-template", str, "{{.Name}}.{{.Namespace}}.{{.Domain}}"),
            read(data, "tag-template", str, "{{.Tag}}-{{.Name}}"),
            read(data, "http-protocol", str, "Enabled").capitalize(),
            read(data, "rollout-duration", float, 0.0),
            read(self._data(FEATURES), "tag-header-based-routing", flag, False),
        )

    def gc(self) -> GcConfig:
        data = self._data(GC)
        return GcConfig(
            read(data, "retain-since-create-time", _seconds_or_none, _RETAIN_CREATED),
            read(data, "retain-since-last-active-time", _seconds_or_none, _RETAIN_ACTIVE),
            read(data, "min-non-active-revisions", int, 20),
            read(data, "max-non-active-revisions", _count_or_none, _MAX_NON_ACTIVE),
        )

    def domains(self) -> list[Domain]:
        """All domains; without any, Knative's own default."""
        data = {k: v for k, v in self._data(DOMAIN).items() if not k.startswith("_")}
        found = [Domain(name, _selector(text)) for name, text in data.items()]
        return found or [Domain("svc.cluster.local", {})]


def _queue_resources(data: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {"requests": {"cpu": "25m"}}
    for group in ("request", "limit"):
        for resource in ("cpu", "memory", "ephemeral-storage"):
            quantity = data.get(f"queue-sidecar-{resource}-{group}")
            if quantity:
                found.setdefault(f"{group}s", {})[resource] = quantity
    return found


def on_change(store: Store, kind: Kind, *names: str) -> Watch:
    """A watch that concerns all objects of `kind` when one of these ConfigMaps changes."""

    def keys(configmap: Obj) -> Iterable[Key]:
        meta = configmap["metadata"]
        if meta["namespace"] != SYSTEM or meta["name"] not in names:
            return ()
        return [key_of(obj) for obj in store.list(kind)]

    return Watch(CONFIGMAP, keys)


def _selector(text: str) -> Mapping[str, str]:
    """The `selector:` of a domain (two levels of YAML with string values)."""
    pairs = (line.split(":", 1) for line in text.splitlines() if line.startswith((" ", "\t")))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def domain_for(domains: list[Domain], labels: Mapping[str, str]) -> str:
    """The domain whose selector is the most specific that the labels satisfy."""
    matching = [d for d in domains if d.selector.items() <= labels.items()]
    matching.sort(key=lambda d: (-len(d.selector), d.name))
    return matching[0].name if matching else "svc.cluster.local"
