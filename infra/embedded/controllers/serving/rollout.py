"""The gradual rollout of a Configuration's latest revision.  Pure functions.

The new revision begins with 1 % of its Configuration's traffic.  Once the ingress serves that, the
rest follows in equal steps over the rollout's duration.  The state is the annotation of the
KIngress, so it outlives a restart; its times are Unix nanoseconds of the cluster's clock.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.embedded.controllers.serving.traffic import DEFAULT, Target

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Share:
    """A revision's percentage of the route's traffic."""

    revision: str
    percent: int


@dataclass(frozen=True, slots=True)
class Steps:
    """When and how far traffic moves; times and duration in nanoseconds, 0 means not known yet."""

    start: int = 0
    next: int = 0
    duration: int = 0
    size: int = 0  # percent


@dataclass(frozen=True, slots=True)
class Rolling:
    """The shares of one Configuration on one host, oldest revision first."""

    configuration: str
    tag: str
    percent: int
    shares: tuple[Share, ...]
    steps: Steps = Steps()

    @property
    def done(self) -> bool:
        return len(self.shares) < 2


Rollout = tuple[Rolling, ...]  # by tag, then by Configuration


def unix_ns(moment: datetime) -> int:
    """A time as the annotation has it."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def target(by_tag: Mapping[str, Sequence[Target]]) -> Rollout:
    """Where all traffic shall be in the end: with the latest revisions."""
    found = (
        Rolling(t.configuration, tag, t.percent, (Share(t.revision, t.percent),))
        for tag, targets in by_tag.items()
        for t in targets
        if t.latest and t.percent
    )
    return tuple(sorted(found, key=lambda rolling: (rolling.tag, rolling.configuration)))


def advance(*, previous: str, goal: Rollout, ready: bool, now: int, duration: int) -> Rollout:
    """The rollout after this moment.

    `previous` is the annotation as it was, `ready` whether the ingress serves it, and `duration`
    the seconds that a rollout takes; 0 means that traffic moves at once.
    """
    if duration <= 0:
        return goal
    before = parse(previous)
    if ready:
        before = tuple(_planned(rolling, now, duration) for rolling in before)
    known = {(rolling.tag, rolling.configuration): rolling for rolling in before}
    return tuple(
        _moved(wanted, known.get((wanted.tag, wanted.configuration)), now) for wanted in goal
    )


def next_step(rollout: Rollout) -> int | None:
    """When traffic moves again; None when nothing is rolled out, or its steps are not known."""
    return min((r.steps.next for r in rollout if not r.done and r.steps.next), default=None)


def spread(targets: Sequence[Target], tag: str, rollout: Rollout) -> tuple[Target, ...]:
    """The targets of a host, where one that is rolled out becomes all revisions with a share."""
    shares = {r.configuration: r.shares for r in rollout if r.tag == tag and not r.done}
    return tuple(
        replace(one, revision=share.revision, percent=share.percent) if share else one
        for one in targets
        for share in ((one.latest and one.percent and shares.get(one.configuration)) or (None,))
    )


def _planned(rolling: Rolling, now: int, duration: int) -> Rolling:
    """The first percent is served: how long that took says how small steps can be."""
    start = rolling.steps.start
    if not start or rolling.steps.duration:
        return rolling
    least = max(1, -(-(now - start) // _SECOND))
    left = max(1, duration - least)
    rest = rolling.percent - 1
    count = min(max(1.0, left / least), rest)
    pause = int(left / count * _SECOND)
    return replace(rolling, steps=Steps(start, now + pause, pause, round(rest / count)))


def _moved(wanted: Rolling, before: Rolling | None, now: int) -> Rolling:
    """One Configuration's rollout, from what it was towards what is wanted."""
    if before is None or wanted.percent < 2:
        return wanted
    shares = _adjusted(before.shares, wanted.percent)
    if not shares:
        return wanted
    newest = wanted.shares[-1].revision
    if shares[-1].revision == newest:
        if len(shares) < 2:
            return wanted
        return _stepped(replace(wanted, shares=shares, steps=before.steps), now)
    first = (*_reduced(shares, 1), Share(newest, 1))
    return replace(wanted, shares=first, steps=Steps(start=now))


def _adjusted(shares: tuple[Share, ...], percent: int) -> tuple[Share, ...]:
    """The shares when the Configuration's own share has become `percent`.

    What is added goes to the newest revision, what is taken away comes from the oldest.
    """
    more = percent - sum(share.percent for share in shares)
    if not shares or not more:
        return shares
    if more > 0:
        return (*shares[:-1], replace(shares[-1], percent=shares[-1].percent + more))
    return _reduced(shares[::-1], -more)[::-1]


def _reduced(shares: tuple[Share, ...], by: int) -> tuple[Share, ...]:
    """The shares with `by` percent taken from the last ones; empty ones are left out."""
    kept = list(shares)
    while by > 0 and kept:
        last = kept.pop()
        if last.percent > by:
            kept.append(replace(last, percent=last.percent - by))
        by -= min(by, last.percent)
    return tuple(share for share in kept if share.percent)


def _stepped(rolling: Rolling, now: int) -> Rolling:
    """One step further, when its time has come."""
    steps = rolling.steps
    if not steps.size or now < steps.next:
        return rolling
    *_, newest = rolling.shares
    older = _reduced(rolling.shares[:-1], steps.size)
    percent = rolling.percent - sum(share.percent for share in older)
    after = replace(steps, next=now + steps.duration) if older else Steps()
    return replace(rolling, shares=(*older, replace(newest, percent=percent)), steps=after)


def dump(rollout: Rollout) -> str:
    """As the KIngress's annotation has it."""
    content = {"configurations": [_as_json(rolling) for rolling in rollout]} if rollout else {}
    return json.dumps(content, separators=(",", ":"))


def _as_json(rolling: Rolling) -> dict[str, Any]:
    steps = rolling.steps
    times = {
        "starttime": steps.start,
        "nextStepTime": steps.next,
        "stepDuration": steps.duration,
        "stepSize": steps.size,
    }
    return {
        "configurationName": rolling.configuration,
        **({"tag": rolling.tag} if rolling.tag != DEFAULT else {}),
        "percent": rolling.percent,
        "revisions": [{"revisionName": s.revision, "percent": s.percent} for s in rolling.shares],
        "stepParams": {key: value for key, value in times.items() if value},
    }


def parse(text: str) -> Rollout:
    """The inverse of `dump`; an annotation that makes no sense counts as none."""
    try:
        found = tuple(_from_json(entry) for entry in json.loads(text).get("configurations", ()))
    except (ValueError, TypeError, KeyError, AttributeError):
        return ()
    return found if all(_makes_sense(rolling) for rolling in found) else ()


def _from_json(entry: Mapping[str, Any]) -> Rolling:
    times = entry.get("stepParams") or {}
    keys = ("starttime", "nextStepTime", "stepDuration", "stepSize")
    return Rolling(
        str(entry["configurationName"]),
        str(entry.get("tag", DEFAULT)),
        int(entry["percent"]),
        tuple(
            Share(str(r["revisionName"]), int(r["percent"])) for r in entry.get("revisions") or ()
        ),
        Steps(*(int(times.get(key, 0)) for key in keys)),
    )


def _makes_sense(rolling: Rolling) -> bool:
    shares, steps = rolling.shares, rolling.steps
    whole = sum(share.percent for share in shares) == rolling.percent <= 100
    positive = all(share.percent >= 0 for share in shares)
    return whole and positive and 0 <= steps.size <= rolling.percent
