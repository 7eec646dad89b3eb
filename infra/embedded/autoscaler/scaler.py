"""From a decision to the number of replicas: bounds, activation, and the way to zero.  Pure."""

from dataclasses import dataclass
from datetime import datetime

from infra.embedded.autoscaler.decider import UNKNOWN
from infra.embedded.autoscaler.spec import Bounds
from infra.embedded.controllers.conditions import Condition

ACTIVATION_BUFFER = 30.0  # seconds beyond the progress deadline until activation has failed
_SOON = 1.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that bound a revision's scale; times in seconds."""

    bounds: Bounds
    initial_scale: int
    enable_scale_to_zero: bool
    stable_window: float
    grace_period: float
    pod_retention: float
    progress_deadline: float


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a revision stands; `proxied_since` is None when the activator is not on its path."""

    active: Condition | None
    initialized: bool
    proxied_since: datetime | None
    now: datetime

    @property
    def activating(self) -> bool:
        return self.active is not None and self.active.is_unknown

    def active_for(self) -> float:
        """Seconds since the condition Active last changed."""
        since = self.active.since if self.active is not None else None
        return (self.now - since).total_seconds() if since is not None else 0.0

    def proxied_for(self) -> float:
        if self.proxied_since is None:
            return 0.0
        return (self.now - self.proxied_since).total_seconds()


@dataclass(frozen=True, slots=True)
class Scale:
    """What is wanted, whether it is applied now, and when to look again (seconds)."""

    want: int
    apply: bool
    again: float | None = None


def scale(*, desired: int, rules: Rules, situation: Situation) -> Scale:
    """The replicas that a decision leads to."""
    if desired < 0 and not situation.activating:
        return Scale(desired, apply=False)
    bounds = rules.bounds
    if rules.initial_scale > 1 and not situation.initialized:
        bounds = Bounds(max(bounds.minimum, rules.initial_scale), bounds.maximum)
    wanted = bounds.apply(max(0, desired))
    return Scale(wanted, apply=True) if wanted else _to_zero(rules, situation)


def _to_zero(rules: Rules, situation: Situation) -> Scale:
    if not rules.enable_scale_to_zero:
        return Scale(1, apply=True)
    if situation.activating:
        return _fail_activation(rules, situation)
    if situation.active is not None and situation.active.is_true:
        return _become_inactive(rules, situation)
    return _leave_the_last_pod(rules, situation)


def _fail_activation(rules: Rules, situation: Situation) -> Scale:
    """Pods that do not become ready are given up some time after the progress deadline."""
    left = rules.progress_deadline + ACTIVATION_BUFFER - situation.active_for()
    return Scale(0, apply=True) if left <= 0 else Scale(UNKNOWN, apply=False, again=left)


def _become_inactive(rules: Rules, situation: Situation) -> Scale:
    """First the revision is marked inactive, once it has been active for a whole window."""
    left = rules.stable_window - situation.active_for()
    if left <= 0:
        return Scale(0, apply=False, again=_SOON)
    return Scale(1, apply=True, again=left)


def _leave_the_last_pod(rules: Rules, situation: Situation) -> Scale:
    """Then its last pod goes, when the activator has been on the path for the grace period."""
    if situation.proxied_since is None:
        return Scale(0, apply=False, again=_SOON)
    inactive = situation.active_for()
    if inactive >= max(rules.grace_period, rules.pod_retention):
        return Scale(0, apply=True)
    left = max(rules.grace_period - situation.proxied_for(), rules.pod_retention - inactive)
    return Scale(0, apply=True) if left <= 0 else Scale(0, apply=False, again=left)
