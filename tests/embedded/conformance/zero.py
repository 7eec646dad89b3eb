"""A recorded way to zero and back: when a service without requests loses its pods, cold starts.

Times that the cluster's clock decides may differ by two decisions and 5 %; cold starts may take
twice as long as recorded and a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.embedded.conformance import durations, services
from tests.embedded.conformance.histories import Change, Step, changes, order, since, steps, times
from tests.embedded.conformance.load import Answer, Target, ask, at_once
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.reading import document
from tests.embedded.conformance.scaling import TICK
from tests.embedded.conformance.watching import (
    AUTOSCALERS,
    PODS,
    active_status,
    desired_scale,
    watching,
)
from tests.support.wait import eventually

_SCALE = 4.0
_CONDITION = "Active="


@dataclass(frozen=True, slots=True)
class Idle:
    """What was recorded of a service that had its last request at 0 s, until the next one."""

    name: str
    namespace: str
    scales: tuple[Step, ...]  # the desired scale
    active: tuple[Step, ...]
    gone: float  # when the last pod was


def areas(root: Path) -> Iterator[Area]:
    """Files with cold starts, and the timeline of the service that they are about."""
    for path in sorted(root.rglob("*.json")):
        content = document(path)
        if isinstance(content, dict) and "cold starts" in content:
            found = _timeline(path.parent, content)
            name = str(path.relative_to(root).with_suffix(""))
            if found is None:
                yield Area(name, _unknown, (path,))
            else:
                timeline, idle = found
                uses, scale = (path, timeline), max(1.0, min(_SCALE, idle.gone / 20))
                yield Area(name, _replayer(path, content, idle), uses, scale, 90.0)


def _unknown(_: Replay) -> Iterator[Case]:
    yield Case("all", skipped="the timeline is not recorded")


def _timeline(folder: Path, content: Mapping[str, Any]) -> tuple[Path, Idle] | None:
    warm = content.get("warm")
    hosts = {name: _labels(entry) for name, entry in warm.items()} if isinstance(warm, dict) else {}
    for path in sorted(folder.glob("*timeline*.txt")):
        found = list(changes(path.read_text(errors="replace").splitlines()))
        for name, labels in hosts.items():
            own = [change for change in found if change.name.startswith(f"{name}-00001")]
            idle = _idle(name, labels, own)
            if idle is not None:
                return path, idle
    return None


def _labels(entry: Mapping[str, Any]) -> Sequence[str]:
    """Name and namespace in the host that an exchange asked."""
    lines = [x for x in str(entry.get("sent")).split("\r\n") if x.lower().startswith("host:")]
    host = lines[0].partition(":")[2].strip() if lines else ""
    return services.RECORDED_DOMAIN.sub("", host).split(".")


def _idle(name: str, labels: Sequence[str], found: Sequence[Change]) -> Idle | None:
    scalers = [change for change in found if change.kind == "PodAutoscaler"]
    pods = [change for change in found if change.kind == "Pod" and change.at > 0]
    gone = next((change.at for change in pods if change.verb == "DELETED"), None)
    if gone is None or len(labels) != 2:
        return None
    scales = steps((c.at, c.fields.get("desiredScale")) for c in scalers if c.at <= gone)
    active = steps((c.at, _condition(c)) for c in scalers if c.at <= gone)
    return Idle(name, labels[1], since(scales, 0.0), since(active, 0.0), gone)


def _condition(change: Change) -> str | None:
    for part in change.text.split("; "):
        if part.startswith(_CONDITION):
            status, _, reason = part.removeprefix(_CONDITION).partition("(")
            return " ".join(filter(None, (status, reason.partition(":")[0])))
    return None


def _replayer(path: Path, content: Mapping[str, Any], idle: Idle) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        found = services.manifests(what.root, path.parent)
        usual = next(found, None)
        if usual is None or not what.cluster.embedded:
            yield Case("all", skipped="needs a recorded service and the embedded cluster's gateway")
            return
        services.apply(what, durations.named(usual, idle.name, idle.namespace))
        target = Target.of(what.cluster.info, f"{idle.name}.{idle.namespace}")
        yield from _way_to_zero(what, idle, target)
        recorded = [c for c in content["cold starts"] if c.get("service") == idle.name]
        yield from _cold("cold start", [(c["status"], c["ms"]) for c in recorded], [ask(target)])
        others = {str(c.get("service")) for c in content["cold starts"]} - {idle.name}
        yield from (
            Case(f"cold starts of {other}", skipped="its manifest is not recorded")
            for other in sorted(others)
        )
        for title, answers in content.items():
            if "requests at once" in title:
                _wait_for_zero(what, idle)
                yield from _cold(title, answers, at_once(target, len(answers)))

    return replay


def _way_to_zero(what: Replay, idle: Idle, target: Target) -> Iterator[Case]:
    with watching(what.cluster, idle.namespace, AUTOSCALERS, PODS) as watch:
        eventually(lambda: any(desired_scale(s) == 1 for s in list(watch.seen)), timeout=30)
        begin = time.monotonic() + ask(target).took
        most = 2 * idle.gone / what.scale + 20
        _wait_for_zero(what, idle, most)
        gone = (time.monotonic() - begin) * what.scale
        name = f"{idle.name}-00001"
        found = [
            watch.history(AUTOSCALERS, name, value, begin=begin, scale=what.scale)
            for value in (desired_scale, active_status)
        ]
    scales, active = (since(history, 0.0) for history in found)
    known = (_known(idle.scales), _known(scales))
    yield Case("order of scales", tuple(order("desired", *known)))
    yield Case("order of Active", tuple(order("Active", idle.active, active)))
    allowed = {n: 2 * TICK + s.at / 20 for n, s in enumerate(idle.active) if s.at > 0}
    yield Case("time of Active", tuple(times("Active", idle.active, active, allowed)))
    yield Case("the pod is gone", tuple(durations.off("after", idle.gone, gone)))


def _known(history: Sequence[Step]) -> list[Step]:
    """A history from the first decision on, which may come before or after the request."""
    return [step for step in history if step.value != "-1"]


def _wait_for_zero(what: Replay, idle: Idle, most: float = 120.0) -> None:
    label = ["-l", f"serving.knative.dev/service={idle.name}", "-o", "name"]
    eventually(
        lambda: not what.cluster.kubectl("get", "pods", "-n", idle.namespace, *label).out,
        timeout=most,
    )


def _cold(
    title: str, recorded: Sequence[tuple[str, float]], answers: Sequence[Answer]
) -> Iterator[Case]:
    if not recorded:
        return
    found = []
    wanted = {str(status).removeprefix("HTTP/1.1 ")[:3] for status, _ in recorded}
    got = {str(answer.code) for answer in answers}
    if got != wanted:
        found.append(f"statuses {sorted(wanted)} -> {sorted(got)}")
    slowest = max(answer.took for answer in answers)
    found += durations.late("slowest", max(ms for _, ms in recorded) / 1000, slowest)
    yield Case(title, tuple(found))
