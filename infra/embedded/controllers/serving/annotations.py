"""Autoscaling annotations of revisions and PodAutoscalers, with the cluster's defaults.  Pure."""

from collections.abc import Callable
from typing import TypeVar

from infra.embedded.controllers import meta
from infra.embedded.controllers.serving import names
from infra.embedded.controllers.serving.config import AutoscalerConfig, seconds
from infra.embedded.store import Obj

T = TypeVar("T")
_PREFIX = "autoscaling.knative.dev/"
_OLD_NAMES = {
    "min-scale": "minScale",
    "max-scale": "maxScale",
    "initial-scale": "initialScale",
    "scale-down-delay": "scaleDownDelay",
    "target-utilization-percentage": "targetUtilizationPercentage",
    "target-burst-capacity": "targetBurstCapacity",
    "panic-window-percentage": "panicWindowPercentage",
    "panic-threshold-percentage": "panicThresholdPercentage",
    "scale-to-zero-pod-retention-period": "scaleToZeroPodRetentionPeriod",
}


def value(obj: Obj, key: str, parse: Callable[[str], T], default: T) -> T:
    """An annotation `autoscaling.knative.dev/KEY`; unreadable values count as absent."""
    own = meta.annotations(obj)
    for name in (key, _OLD_NAMES.get(key, key)):
        text = own.get(_PREFIX + name)
        if text is not None:
            try:
                return parse(text)
            except ValueError:
                return default
    return default


def initial_scale(obj: Obj, config: AutoscalerConfig) -> int:
    """How many pods a revision starts with."""
    scale = value(obj, "initial-scale", int, config.initial_scale)
    return scale if scale > 0 or config.allow_zero_initial_scale else config.initial_scale


def progress_deadline(obj: Obj, default: float) -> float:
    """Seconds that a rollout may take without progress."""
    text = meta.annotations(obj).get(names.PROGRESS_DEADLINE)
    try:
        return seconds(text) if text is not None else default
    except ValueError:
        return default


def rollout_duration(route: Obj, default: float) -> int:
    """Whole seconds over which traffic moves to a new latest revision; 0 means at once."""
    own = meta.annotations(route)
    text = next((own[name] for name in names.ROLLOUT_DURATION if name in own), "0")
    try:
        return int(seconds(text)) or int(default)
    except ValueError:
        return int(default)
