"""Validation of the annotations that Knative reads.  Pure."""

import re
from collections.abc import Iterator, Mapping

from infra.embedded.admission.knative.problems import Problem, invalid, out_of_bounds

AUTOSCALING = "autoscaling.knative.dev/"
PROGRESS_DEADLINE = "serving.knative.dev/progress-deadline"
QUEUE_PERCENTAGE = "queue.sidecar.serving.knative.dev/resource-percentage"
_OLD_QUEUE_PERCENTAGE = "queue.sidecar.serving.knative.dev/resourcePercentage"
ROLLOUT_DURATION = ("serving.knative.dev/rollout-duration", "serving.knative.dev/rolloutDuration")
VISIBILITY = "networking.knative.dev/visibility"

_MAX = 2**31 - 1
_HOUR = 3600.0
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))*"
)
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_METRICS = {
    "kpa.autoscaling.knative.dev": ("concurrency", "rps"),
    "hpa.autoscaling.knative.dev": ("cpu", "memory"),
}
# Durations by annotation: seconds and the words for the smallest and the largest.
_DURATIONS = {
    "window": (6.0, "6s"),
    "scale-down-delay": (0.0, "0s"),
    "scale-to-zero-pod-retention-period": (0.0, "0s"),
}
_OLD_NAMES = {
    "minScale": "min-scale",
    "maxScale": "max-scale",
    "initialScale": "initial-scale",
    "targetUtilizationPercentage": "target-utilization-percentage",
    "targetBurstCapacity": "target-burst-capacity",
    "panicWindowPercentage": "panic-window-percentage",
    "panicThresholdPercentage": "panic-threshold-percentage",
    "scaleDownDelay": "scale-down-delay",
    "scaleToZeroPodRetentionPeriod": "scale-to-zero-pod-retention-period",
}
_BOUNDS = {
    "panic-window-percentage": (1, 100),
    "panic-threshold-percentage": (110, 1000),
    "target-utilization-percentage": (1, 100),
}


def seconds(text: str) -> float | None:
    """A Go duration (`1m30s`) in seconds; None when it is not one."""
    if text in ("0", "+0", "-0"):
        return 0.0
    if not _DURATION.fullmatch(text):
        return None
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -total if text.startswith("-") else total


def check_autoscaling(
    annotations: Mapping[str, str], path: str, *, zero_initial: bool
) -> Iterator[Problem]:
    """Problems of the autoscaling annotations of a revision."""
    values = {}
    for key, value in annotations.items():
        if key.startswith(AUTOSCALING):
            name = key.removeprefix(AUTOSCALING)
            values[_OLD_NAMES.get(name, name)] = (value, f"{path}.{key}")
    yield from _scales(values, zero_initial=zero_initial)
    yield from _floats(values)
    for name, (low, word) in _DURATIONS.items():
        if name in values:
            yield from _duration(*values[name], low, word)
    if "metric" in values:
        scaler = annotations.get(f"{AUTOSCALING}class", "kpa.autoscaling.knative.dev")
        metric, where = values["metric"]
        if scaler in _METRICS and metric not in _METRICS[scaler] and (
            scaler.startswith("kpa") or not metric
        ):  # fmt: skip
            yield invalid(metric, where)


Values = Mapping[str, tuple[str, str]]


def _scales(values: Values, *, zero_initial: bool) -> Iterator[Problem]:
    numbers: dict[str, int] = {}
    for name, least in (("min-scale", 0), ("max-scale", 0), ("activation-scale", 1)):
        if name not in values:
            continue
        text, path = values[name]
        number = _integer(text)
        if number is None:
            yield invalid(text, path)
        elif not least <= number <= _MAX:
            yield out_of_bounds(text, least, _MAX, path)
        else:
            numbers[name] = number
    low, high = numbers.get("min-scale", 0), numbers.get("max-scale", 0)
    if 0 < high < low:
        paths = (values["max-scale"][1], values["min-scale"][1])
        yield Problem(f"max-scale={high} is less than min-scale={low}", paths)
    if "initial-scale" in values:
        text, path = values["initial-scale"]
        number = _integer(text)
        if number is None:
            yield invalid(text, path)
        elif number < 0:
            yield invalid(text, f"{path} must be greater than 0")
        elif number == 0 and not zero_initial:
            yield invalid(text, f"{path}=0 not allowed by cluster")


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else None


def _floats(values: Values) -> Iterator[Problem]:
    for name in (*_BOUNDS, "target", "target-burst-capacity"):
        if name not in values:
            continue
        text, path = values[name]
        number = _float(text)
        if number is None:
            yield invalid(text, path)
        elif name == "target":
            if number < 0.01:
                yield Problem(f"target {text} should be at least 0.01", (path,))
        elif name == "target-burst-capacity":
            if number < 0 and number != -1:
                yield invalid(text, path)
        elif not _BOUNDS[name][0] <= number <= _BOUNDS[name][1]:
            yield out_of_bounds(text, *_BOUNDS[name], path)


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _duration(text: str, path: str, low: float, word: str) -> Iterator[Problem]:
    value = seconds(text)
    if value is None:
        yield invalid(text, path)
    elif not low <= value <= _HOUR:
        yield out_of_bounds(text, word, "1h0m0s", path)
    elif value != int(value):
        yield Problem("must be specified with at most second precision", (path,))


def check_revision(annotations: Mapping[str, str], path: str) -> Iterator[Problem]:
    """Problems of the other annotations of a revision."""
    if PROGRESS_DEADLINE in annotations:
        text, where = annotations[PROGRESS_DEADLINE], f"{path}.{PROGRESS_DEADLINE}"
        value = seconds(text)
        if value is None:
            yield invalid(text, where)
        elif value <= 0:
            yield Problem(f"progress-deadline={text} must be positive", (where,))
        elif value != int(value):
            yield Problem(f"progress-deadline={text} is not at a second precision", (where,))
    for key in (QUEUE_PERCENTAGE, _OLD_QUEUE_PERCENTAGE):
        if key in annotations:
            yield from _queue_percentage(annotations[key], f"{path}.[{key}]")


def _queue_percentage(text: str, path: str) -> Iterator[Problem]:
    yield Problem(
        "Queue proxy resource percentage annotation is deprecated. Please use the available "
        "annotations to explicitly set resource values per service",
        ("",),
        warning=True,
    )
    number = _float(text)
    if number is None:
        yield invalid(text, path)
    elif not 0.1 <= number <= 100:
        yield out_of_bounds(text, 0.1, 100, path)


def check_rollout(annotations: Mapping[str, str], path: str) -> Iterator[Problem]:
    """Problems of the duration over which traffic moves, of a Service or Route."""
    key = next((key for key in ROLLOUT_DURATION if annotations.get(key)), None)
    if key is None:
        return
    text, where = annotations[key], f"{path}.{key}"
    value = seconds(text)
    if value is None:
        yield invalid(text, where)
    elif value != int(value):
        yield Problem(f"rollout-duration={text} is not at second precision", (where,))
    elif value < 0:
        yield Problem(f"rollout-duration={text} must be positive", (where,))


def check_misplaced(annotations: Mapping[str, str], path: str) -> Iterator[Problem]:
    """Autoscaling annotations have no effect on the Service or Configuration itself."""
    for key in annotations:
        if key.startswith(AUTOSCALING):
            yield Problem(
                f'invalid key name "{key}"',
                (path,),
                'autoscaling annotations must be put under "spec.template.metadata.annotations" '
                "to work",
            )
