"""Recorded loads: the decider gives the recorded scales, and so does a service under that load.

Compared are the order of desired scales, of replicas and of the condition Active, the pods that
are ready at the end of each step, and the times of changes: they may differ by two decisions
(4 s) and 5 % of the time since the load changed.  Answers must have the recorded statuses, their
median may differ by a fifth.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.embedded.conformance import scaling
from tests.embedded.conformance.histories import Step, at, order, since, times, values
from tests.embedded.conformance.load import Answer, Target, codes, during, median
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.scaling import Recording
from tests.embedded.conformance.watching import (
    AUTOSCALERS,
    DEPLOYMENTS,
    Watch,
    active_status,
    desired_scale,
    watching,
)
from tests.support.wait import eventually

_REAL_SECONDS = 110.0  # that a replay may take; a longer recording has a faster clock
_AFTER = 6.0  # seconds of the cluster that are watched beyond the last recorded change
_NO_SERVICE = "the service that had the load is not recorded"


def areas(root: Path) -> Iterator[Area]:
    """Two areas for each recorded load: the decider alone, and a service under that load."""
    for path, recording in scaling.recordings(root):
        name = str(path.relative_to(root).with_suffix(""))
        if recording is None:
            yield Area(name, _unknown, (path,))
            continue
        yield Area(f"{name} (decider)", _decider(recording), recording.source)
        scale = max(1.0, recording.end / _REAL_SECONDS)
        yield Area(f"{name} (load)", _replayer(recording), recording.source, scale, 120.0)


def _unknown(_: Replay) -> Iterator[Case]:
    yield Case("all", skipped=_NO_SERVICE)


def _decider(recording: Recording) -> Any:
    def replay(_: Replay) -> Iterator[Case]:
        first = scaling.tick_of(recording.desired)
        ready = scaling.recorded_ready(recording)
        got = scaling.decided(recording, first_tick=first, ready=ready)
        yield Case("order of scales", tuple(order("desired", recording.desired, got)))
        allowed = scaling.tolerance(recording, recording.desired)
        yield Case("times", tuple(times("desired", recording.desired, got, allowed)))

    return replay


def _replayer(recording: Recording) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        if not what.cluster.embedded:
            yield Case("all", skipped="the gateway's address is known for the embedded one only")
            return
        meta = recording.service["metadata"]
        name, namespace = str(meta["name"]), str(meta.get("namespace", "default"))
        kubectl = what.cluster.kubectl
        kubectl("create", "namespace", namespace)
        with watching(what.cluster, namespace, AUTOSCALERS, DEPLOYMENTS) as watch:
            kubectl("apply", "-f", "-", stdin=yaml.safe_dump(dict(recording.service)))
            ready = ["--for=condition=Ready", f"ksvc/{name}", "-n", namespace, "--timeout=60s"]
            kubectl("wait", *ready, timeout=90)
            eventually(lambda: _desired(watch, f"{name}-00001") > 0, timeout=30)
            begin = _aligned(recording, watch, f"{name}-00001", what.scale)
            target = Target.of(what.cluster.info, f"{name}.{namespace}", _path(recording))
            answers = _send(recording, target, begin, what.scale)
            left = (recording.end + _AFTER) / what.scale - (time.monotonic() - begin)
            time.sleep(max(left, 0.0))
        yield from _scales(recording, watch, f"{name}-00001", begin, what.scale)
        yield from _answers(recording, answers)

    return replay


def _aligned(recording: Recording, watch: Watch, name: str, scale: float) -> float:
    """Wait until the first request is as far from the next decision as it was; that moment."""
    now = time.monotonic()
    made = next((s.at for s in watch.seen if s.resource == AUTOSCALERS and s.name == name), now)
    age = (now - made) * scale
    wait = (-(recording.made or -age) - age) % scaling.TICK / scale
    time.sleep(wait)
    return now + wait


def _desired(watch: Watch, name: str) -> int:
    found = [desired_scale(s) for s in list(watch.seen) if s.name == name]
    return next((int(scale) for scale in reversed(found) if scale is not None), 0)


def _path(recording: Recording) -> str:
    """A path of the recorded app that takes as long as the recorded requests did."""
    slowest = max((phase.median_ms for phase in recording.phases), default=0.0)
    whole = int(slowest // 10 * 10)
    return f"/sleep?ms={whole}" if whole >= 20 else "/"


def _send(recording: Recording, target: Target, begin: float, scale: float) -> list[list[Answer]]:
    """The recorded phases one after the other."""
    answers = []
    for phase in recording.phases:
        time.sleep(max(begin + phase.start / scale - time.monotonic(), 0.0))
        end = threading.Event()
        duration = begin + (phase.start + phase.seconds) / scale - time.monotonic()
        timer = threading.Timer(max(duration, 0.0), end.set)
        timer.start()
        answers.append(during(target, phase.clients, end))
        timer.join()
    return answers


def _scales(
    recording: Recording, watch: Watch, prefix: str, begin: float, scale: float
) -> Iterator[Case]:
    def history(resource: str, value: Any) -> tuple[Step, ...]:
        found = watch.history(resource, prefix, value, begin=begin, scale=scale)
        return since(found, 0.0)

    desired = history(AUTOSCALERS, desired_scale)
    replicas = history(DEPLOYMENTS, lambda seen: seen.obj["spec"].get("replicas"))
    ready = history(DEPLOYMENTS, lambda seen: seen.obj.get("status", {}).get("readyReplicas", 0))
    for what, wanted, got in (
        ("desired", recording.desired, desired),
        ("replicas", recording.replicas, replicas),
    ):
        usual = values(wanted) == values(got)
        found = [] if usual or _elsewhere(recording, got) else list(order(what, wanted, got))
        yield Case(f"order of {what}", tuple(found))
        allowed = scaling.tolerance(recording, wanted) if usual else {}
        yield Case(f"times of {what}", tuple(times(what, wanted, got, allowed)))
    if recording.active:
        active = history(AUTOSCALERS, active_status)
        yield Case("order of Active", tuple(order("Active", recording.active, active)))
    known = set(_settled(recording.replicas, recording.ready))
    found = [
        f"{pods} ready of {wanted} wanted"
        for wanted, pods in _settled(replicas, ready)
        if (wanted, pods) not in known
    ]
    yield Case("pods at the end of each step", tuple(found))


def _elsewhere(recording: Recording, got: Sequence[Step]) -> bool:
    """Whether scales come as they may when ticks fall elsewhere between changes of the load."""
    return tuple(values(got)) in scaling.possible(recording)


def _settled(replicas: Sequence[Step], ready: Sequence[Step]) -> list[tuple[str, str]]:
    """The replicas that were wanted, and the pods that were ready when that changed next."""
    ends = [*(step.at for step in replicas[1:]), float("inf")]
    return [(step.value, at(ready, end, "0")) for step, end in zip(replicas, ends, strict=True)]


def _answers(recording: Recording, answers: Sequence[list[Answer]]) -> Iterator[Case]:
    for phase, got in zip(recording.phases, answers, strict=True):
        if not phase.clients:
            continue
        found = []
        if set(codes(got)) != set(phase.codes):
            found.append(f"statuses {dict(phase.codes)} -> {codes(got)}")
        took = median(got) * 1000
        if not 0.8 * phase.median_ms <= took <= 1.2 * phase.median_ms:
            found.append(f"median {phase.median_ms:.0f} ms -> {took:.0f} ms (tolerance 20 %)")
        yield Case(f"answers to {phase.clients} clients", tuple(found))
