"""Recorded loads and scales, and the scales that the decider gives for the same loads.  Pure.

A recording of this form is a JSON object with `phases` (how many clients sent requests one after
the other, from when on, for how long) and `samples_1s`; `*timeline*.txt` beside it has the exact
times of changes, and a manifest the service that had the load.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.embedded.autoscaler.decider import DeciderSpec, DeciderState, decide, observe
from infra.embedded.autoscaler.metrics import History, RevisionLoad
from infra.embedded.autoscaler.spec import Bounds, bounds, decider_spec
from infra.embedded.controllers.serving.config import AutoscalerConfig
from tests.embedded.conformance.histories import Change, Step, at, changes, since, steps
from tests.embedded.conformance.reading import document, manifest_file

TICK = 2.0  # seconds between decisions
_PARTS = 20  # of a second, in which a load is averaged
_TICKS = 10  # places of the ticks that are tried


@dataclass(frozen=True, slots=True)
class Phase:
    """Clients that each send a request as soon as the one before is answered."""

    clients: int
    start: float
    seconds: float
    codes: Mapping[str, int]
    median_ms: float

    @property
    def rate(self) -> float:
        """Requests in a second."""
        return self.clients * 1000 / self.median_ms if self.median_ms else 0.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A load, the service that had it, and what followed, since the first request."""

    source: tuple[Path, ...]
    service: Mapping[str, Any]
    phases: tuple[Phase, ...]
    desired: tuple[Step, ...]
    replicas: tuple[Step, ...]
    ready: tuple[Step, ...]
    active: tuple[Step, ...]  # the PodAutoscaler's condition
    made: float | None = None  # when the PodAutoscaler was, with which its decisions begin

    @property
    def quiet(self) -> float:
        """When the last request was sent."""
        return max((p.start + p.seconds for p in self.phases if p.clients), default=0.0)

    @property
    def end(self) -> float:
        """When the last recorded change was."""
        return max((s[-1].at for s in (self.desired, self.replicas, self.ready) if s), default=0.0)


def recordings(root: Path) -> Iterator[tuple[Path, Recording | None]]:
    """Files with loads; None where the service that had the load is not recorded."""
    for path in sorted(root.rglob("*.json")):
        content = document(path)
        if isinstance(content, dict) and {"phases", "samples_1s"} <= content.keys():
            yield path, _recording(path, content)


def _recording(path: Path, content: Mapping[str, Any]) -> Recording | None:
    try:
        phases = _phases(content["phases"])
        samples = [s for s in content["samples_1s"] if isinstance(s.get("t"), int | float)]
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    for manifest, service in _services(path.parent):
        name = service["metadata"]["name"]
        timeline, found = _timeline(path.parent, name)
        desired = [(c.at, c.fields.get("desired")) for c in found if c.kind == "PodAutoscaler"]
        replicas = [(c.at, c.fields.get("spec")) for c in found if c.kind == "Deployment"]
        ready = [(c.at, c.fields.get("ready") or 0) for c in found if c.kind == "Deployment"]
        active = [(c.at, _active(c)) for c in found if c.kind == "PodAutoscaler"]
        return Recording(
            (path, manifest, *timeline),
            service,
            phases,
            since(steps(desired or [(s["t"], s.get("desired")) for s in samples]), 0.0),
            since(steps(replicas or [(s["t"], s.get("deploySpec")) for s in samples]), 0.0),
            since(steps(ready or [(s["t"], s.get("deployReady")) for s in samples]), 0.0),
            since(steps(active), 0.0),
            next((c.at for c in found if c.kind == "PodAutoscaler" and c.at < 0), None),
        )
    return None


def _phases(entries: Sequence[Mapping[str, Any]]) -> tuple[Phase, ...]:
    return tuple(
        Phase(
            int(entry["clients"]),
            float(entry["start"]),
            float(entry.get("dur") or 0.0),
            dict(entry.get("codes") or {}),
            float(entry.get("p50_ms") or 0.0),
        )
        for entry in entries
    )


def _services(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted(folder.glob("*.yaml")):
        yield from ((path, obj) for obj in manifest_file(path) if obj.get("kind") == "Service")


def _timeline(folder: Path, name: str) -> tuple[tuple[Path, ...], list[Change]]:
    """The recorded changes of a service's first revision, and where they are."""
    for path in sorted(folder.glob("*timeline*.txt")):
        found = [
            change
            for change in changes(path.read_text(errors="replace").splitlines())
            if change.name.startswith(f"{name}-00001")
        ]
        if found:
            return (path,), found
    return (), []


def _active(change: Change) -> str | None:
    found = change.fields.get("Active")
    return " ".join(str(part) for part in found if part) if found else None


def settings(service: Mapping[str, Any]) -> tuple[DeciderSpec, Bounds]:
    """What a service asks of its autoscaler."""
    template = service["spec"]["template"]
    concurrency = template.get("spec", {}).get("containerConcurrency", 0)
    autoscaler = {
        "metadata": {"annotations": template.get("metadata", {}).get("annotations", {})},
        "spec": {"containerConcurrency": concurrency},
    }
    config = AutoscalerConfig()
    return decider_spec(autoscaler, config), bounds(autoscaler, config)


def decided(
    recording: Recording, *, first_tick: float, ready: Callable[[float, int], int]
) -> tuple[Step, ...]:
    """The desired scales when decisions come every two seconds from `first_tick` on.

    `ready(moment, desired)` says how many pods are ready then.
    """
    spec, limits = settings(recording.service)
    history, state, scale = History(spec.stable_window), DeciderState(), 1
    scales = [Step(0.0, "1")]
    second, tick = -5, first_tick
    while tick <= recording.end + 2 * TICK:
        while second + 1 <= tick:
            second += 1
            history.record(second, _load(recording.phases, second))
        count = ready(tick, scale)
        observed = observe(history, spec, count, tick)
        if observed is not None:
            decision, state = decide(spec=spec, state=state, observed=observed, now=tick)
            # A revision that has been active for less than a window keeps a pod.
            least = 1 if tick < spec.stable_window else 0
            scale = limits.apply(max(decision.pods, least))
            scales.append(Step(tick, str(scale)))
        tick += TICK
    return steps((step.at, step.value) for step in scales)


def _load(phases: Sequence[Phase], second: int) -> RevisionLoad:
    """The average load over the second that ends then, as a scrape reports it."""
    moments = [second - 1 + part / _PARTS for part in range(_PARTS)]
    running = [_phase(phases, moment) for moment in moments]
    clients = sum(phase.clients for phase in running if phase) / _PARTS
    rate = sum(phase.rate for phase in running if phase) / _PARTS
    return RevisionLoad(clients, rate)


def _phase(phases: Sequence[Phase], moment: float) -> Phase | None:
    return next((p for p in phases if p.start <= moment < p.start + p.seconds), None)


def tick_of(history: Sequence[Step], written: float = 0.05) -> float:
    """The first tick after 0 s, from a recorded change of scale, `written` seconds after one."""
    changed = next((step.at for step in history if step.at > 0), written)
    return (changed - written) % TICK


def recorded_ready(recording: Recording) -> Callable[[float, int], int]:
    """The pods that were ready in the recording."""
    return lambda moment, _: int(at(recording.ready, moment, "1"))


def possible(recording: Recording) -> set[tuple[str, ...]]:
    """The orders of scales that this load gives, wherever decisions fall between its changes.

    Loads are known up to a second later, when they are collected.
    """
    moments = [part * TICK / _TICKS for part in range(_TICKS)]
    return {
        tuple(step.value for step in decided(late, first_tick=tick, ready=_prompt))
        for late in (_delayed(recording, lag) for lag in (0.0, 0.5, 1.0))
        for tick in moments
    }


def _delayed(recording: Recording, lag: float) -> Recording:
    phases = tuple(replace(phase, start=phase.start + lag) for phase in recording.phases)
    return replace(recording, phases=phases)


def _prompt(_: float, desired: int) -> int:
    """Pods that are ready at the next decision."""
    return max(desired, 0)


def tolerance(recording: Recording, history: Sequence[Step]) -> dict[int, float]:
    """Seconds by which each change may differ: two decisions, and a twentieth of the phase."""
    begins = sorted({0.0, recording.quiet, *(phase.start for phase in recording.phases)})
    return {
        index: 2 * TICK + math.ceil(step.at - max(b for b in begins if b <= step.at)) / 20
        for index, step in enumerate(history)
        if step.at > 0
    }
