"""A PodAutoscaler's settings: its annotations over the cluster's defaults.  Pure functions."""

from dataclasses import dataclass

from infra.embedded.autoscaler.decider import DeciderSpec
from infra.embedded.controllers.serving.annotations import initial_scale, value
from infra.embedded.controllers.serving.config import AutoscalerConfig, seconds
from infra.embedded.store import Obj

_LEAST_TARGET = 0.01


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of a revision's scale; a maximum of 0 means none."""

    minimum: int
    maximum: int

    def apply(self, scale: int) -> int:
        if scale < self.minimum:
            return self.minimum
        return min(scale, self.maximum) if self.maximum else scale


def is_reachable(autoscaler: Obj) -> bool:
    return bool(autoscaler["spec"].get("reachability") != "Unreachable")


def bounds(autoscaler: Obj, config: AutoscalerConfig) -> Bounds:
    """A revision that no route leads to has no minimum."""
    minimum = value(autoscaler, "min-scale", int, config.min_scale)
    maximum = value(autoscaler, "max-scale", int, config.max_scale)
    return Bounds(minimum if is_reachable(autoscaler) else 0, maximum)


def stable_window(autoscaler: Obj, config: AutoscalerConfig) -> float:
    return value(autoscaler, "window", seconds, config.stable_window)


def panic_window(autoscaler: Obj, config: AutoscalerConfig) -> float:
    """A share of the stable window, in whole seconds."""
    share = value(autoscaler, "panic-window-percentage", float, config.panic_window_percentage)
    return max(1.0, float(round(stable_window(autoscaler, config) * share / 100)))


def metric(autoscaler: Obj) -> str:
    return value(autoscaler, "metric", str, "concurrency")


def targets(autoscaler: Obj, config: AutoscalerConfig) -> tuple[float, float]:
    """What one pod should have on average, and what it can have at most."""
    limit = float(autoscaler["spec"].get("containerConcurrency", 0))
    concurrent = metric(autoscaler) != "rps"
    total = (limit or config.concurrency_target) if concurrent else config.rps_target
    asked = value(autoscaler, "target", float, 0.0)
    if asked:
        total = min(asked, limit) if concurrent and limit else asked
    used = 100 * config.target_percentage
    share = value(autoscaler, "target-utilization-percentage", float, used) / 100
    return max(_LEAST_TARGET, total * share), total


def decider_spec(autoscaler: Obj, config: AutoscalerConfig) -> DeciderSpec:
    target, total = targets(autoscaler, config)
    threshold = config.panic_threshold_percentage
    return DeciderSpec(
        metric=metric(autoscaler),
        target=target,
        total=total,
        target_burst_capacity=value(
            autoscaler, "target-burst-capacity", float, config.target_burst_capacity
        ),
        stable_window=stable_window(autoscaler, config),
        panic_window=panic_window(autoscaler, config),
        panic_threshold=value(autoscaler, "panic-threshold-percentage", float, threshold) / 100,
        max_scale_up_rate=config.max_scale_up_rate,
        max_scale_down_rate=config.max_scale_down_rate,
        activation_scale=value(autoscaler, "activation-scale", int, 1),
        scale_down_delay=value(autoscaler, "scale-down-delay", seconds, config.scale_down_delay),
        activator_capacity=config.activator_capacity,
        initial_scale=initial_scale(autoscaler, config),
        reachable=is_reachable(autoscaler),
    )
