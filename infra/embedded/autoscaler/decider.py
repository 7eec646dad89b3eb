"""The decision of Knative's autoscaler.  Pure functions of a revision's settings and history.

The stable window says how many pods the load of the last minute needs.  The shorter panic window
is looked at besides: when it needs at least twice (the panic threshold) the pods that are ready,
the larger number counts and never shrinks until the stable window has caught up.
"""

import math
from dataclasses import dataclass, replace

from infra.embedded.autoscaler.metrics import History, RevisionLoad, average

UNKNOWN = -1  # no data yet: no decision


@dataclass(frozen=True, slots=True)
class DeciderSpec:
    """What a revision asks of its autoscaler; windows in seconds."""

    metric: str  # "concurrency" or "rps"
    target: float  # per pod, after utilization
    total: float  # per pod, before utilization
    target_burst_capacity: float
    stable_window: float
    panic_window: float
    panic_threshold: float
    max_scale_up_rate: float
    max_scale_down_rate: float
    activation_scale: int
    scale_down_delay: float
    activator_capacity: float
    initial_scale: int
    reachable: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """Averages over both windows, and the pods that are ready."""

    stable: float
    panic: float
    ready_pods: int


@dataclass(frozen=True, slots=True)
class DeciderState:
    """What is remembered between decisions; times in seconds of the cluster's clock."""

    panic_since: float | None = None
    panic_pods: int = 0
    recent: tuple[tuple[float, int], ...] = ()  # decisions within the scale-down delay


@dataclass(frozen=True, slots=True)
class Decision:
    """How many pods there should be, and how large a burst they could not take."""

    pods: int = UNKNOWN
    excess_burst_capacity: int = 0


def first_state(ready_pods: int, now: float) -> DeciderState:
    """A decider that finds several pods starts in panic: it knows no history to shrink by."""
    return DeciderState(now, ready_pods) if ready_pods > 1 else DeciderState()


def first_decision(spec: DeciderSpec) -> Decision:
    """Before any data."""
    capacity = spec.target_burst_capacity
    if capacity in (-1, 0):
        return Decision(UNKNOWN, int(capacity))
    return Decision(UNKNOWN, int(spec.initial_scale * spec.total - capacity))


def observe(history: History, spec: DeciderSpec, ready_pods: int, now: float) -> Observed | None:
    """The averages that a decision needs; None without data."""

    def value(load: RevisionLoad) -> float:
        return load.rps if spec.metric == "rps" else load.concurrency

    stable = average(history, spec.stable_window, now, value)
    if stable is None:
        return None
    panic = average(history, spec.panic_window, now, value)
    return Observed(stable, panic or 0.0, ready_pods)


def decide(
    *, spec: DeciderSpec, state: DeciderState, observed: Observed, now: float
) -> tuple[Decision, DeciderState]:
    """The next decision and what to remember of it."""
    ready = max(1, observed.ready_pods)
    stable = _wanted(spec, observed.stable, ready)
    panic = _wanted(spec, observed.panic, ready)
    crowded = math.ceil(observed.panic / spec.target) / ready >= spec.panic_threshold
    state = _panic(spec, state, crowded=crowded, now=now)
    pods = stable
    if state.panic_since is not None:
        state = replace(state, panic_pods=max(state.panic_pods, stable, panic))
        pods = state.panic_pods
    pods, state = _delayed(spec, state, pods, now)
    return Decision(pods, _excess(spec, observed)), state


def _wanted(spec: DeciderSpec, value: float, ready: int) -> int:
    """Pods for an average load, within the rates of growth and shrinking."""
    needed = math.ceil(value / spec.target)
    upper = math.ceil(spec.max_scale_up_rate * ready)
    lower = math.floor(ready / spec.max_scale_down_rate) if spec.reachable else 0
    pods = min(max(needed, lower), upper)
    return max(pods, spec.activation_scale) if needed > 0 and spec.activation_scale > 1 else pods


def _panic(spec: DeciderSpec, state: DeciderState, *, crowded: bool, now: float) -> DeciderState:
    if crowded:
        return replace(state, panic_since=now)
    over = state.panic_since is not None and state.panic_since + spec.stable_window < now
    return replace(state, panic_since=None, panic_pods=0) if over else state


def _delayed(
    spec: DeciderSpec, state: DeciderState, pods: int, now: float
) -> tuple[int, DeciderState]:
    """The largest decision within the scale-down delay."""
    if spec.scale_down_delay <= 0:
        return pods, replace(state, recent=())
    since = now - spec.scale_down_delay
    kept = (*((at, count) for at, count in state.recent if at > since), (now, pods))
    return max(count for _, count in kept), replace(state, recent=kept)


def _excess(spec: DeciderSpec, observed: Observed) -> int:
    """Room for a burst beyond what is asked for; below 0 the activator stays on the path."""
    if spec.target_burst_capacity == 0:
        return 0
    if spec.target_burst_capacity < 0:
        return -1
    capacity = observed.ready_pods * spec.total
    return math.floor(capacity - spec.target_burst_capacity - observed.panic)


def activators(spec: DeciderSpec, ready_pods: int) -> int:
    """How many activators a revision is spread over; 0 means all."""
    if spec.target_burst_capacity < 0:
        return 0
    capacity = ready_pods * spec.total + max(0.0, spec.target_burst_capacity)
    return max(MIN_ACTIVATORS, math.ceil(capacity / spec.activator_capacity))


MIN_ACTIVATORS = 2
