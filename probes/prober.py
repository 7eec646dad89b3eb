"""Probes a service from all vantages in one time window, and summarises what came back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from harness.core.errors import UsageError, VpmError
from harness.core.identity import VantageIdentity
from harness.core.observation import SKIPPED, Artefact, ProbeObserved, ServiceObserved
from harness.core.readiness import readiness_gap
from harness.core.redact import redact
from harness.core.sli import summarise
from harness.ports import Clock, ProbeRequest, Vantage
from harness.spec.model import ProbeAction
from probes.build import agent_bytes
from probes.plan import Probe, Route, agent_plan, has_samples
from probes.samples import AgentOutput, read_output
from probes.store import SampleStore
from probes.summaries import observed_from_summary, own_summary

# How long after it is asked for an engine is ready to start, in seconds.
_LOCAL_LEAD = 0.25
_LONGEST_LEAD = 10.0
# What an engine may take beyond its schedule before it is given up, in seconds.
_GRACE = 15.0
# Of a service's name in a file's: a KService's is never longer, a URL may be.
_LONGEST_NAME = 63


class Places(Protocol):
    """Finds where a vantage's engine runs and how it gets to a service; vantages of one place
    share one engine. `first_lead` is how long (seconds) a place may take to start at first.
    """

    @property
    def first_lead(self) -> float: ...

    def place_of(self, vantage: str) -> str: ...

    def missing(self, vantage: str) -> str: ...

    def route(self, vantage: str, service: ServiceObserved, action: ProbeAction) -> Route: ...

    def authority(self, scheme: str) -> str: ...

    def abandon(self) -> None: ...

    def logs(
        self, service: ServiceObserved, store: SampleStore, *, prefix: str
    ) -> tuple[Artefact, ...]: ...

    def open(self, place: str, *, namespace: str) -> Vantage: ...


class Prober:
    """Sends probes and summarises samples; one for each open cluster."""

    def __init__(self, *, places: Places, store: SampleStore, clock: Clock) -> None:
        self._places = places
        self._store = store
        self._clock = clock
        self._numbers = count(1)
        # A pod of a real cluster takes seconds; what the last one took is known afterwards.
        self._leads: dict[str, float] = {"devbox": _LOCAL_LEAD}

    def probe(self, service: ServiceObserved, action: ProbeAction) -> tuple[ProbeObserved, ...]:
        """Probe a service from every vantage of the action, in the action's order.

        All engines run at the same time and share one start. A vantage that could not run is in
        the result, with `error`; one that this cluster cannot have has no data, and the reason
        among its details. The others are not affected.

        Errors:
            UsageError: what is asked cannot be sent, for example a header that HTTP forbids.
        """
        number = next(self._numbers)
        asked = {vantage: self._asked(service, action, vantage) for vantage in action.vantages}
        by_place: dict[str, list[Probe]] = {}
        for vantage in action.vantages:
            missing = self._places.missing(vantage)
            if missing:
                asked[vantage] = replace(asked[vantage], details={SKIPPED: missing})
                continue
            try:
                route = self._places.route(vantage, service, action)
            except VpmError as error:
                asked[vantage] = replace(asked[vantage], error=str(error))
                continue
            asked[vantage] = replace(asked[vantage], url=redact(route.url))
            target = f"{number:02d}-{_slug(service.service)[:_LONGEST_NAME]}-{_slug(vantage)}"
            place = self._places.place_of(vantage)
            by_place.setdefault(place, []).append(Probe(vantage, target, route))
        if by_place:
            asked.update(self._run_places(by_place, action, asked))
        asked = {
            name: replace(seen, gap=readiness_gap(ready=service, probe=seen))
            for name, seen in asked.items()
        }
        if any(seen.failures for seen in asked.values()):
            logs = self._places.logs(service, self._store, prefix=f"{number:02d}")
            asked = {name: replace(seen, logs=logs) for name, seen in asked.items()}
        return tuple(asked[vantage] for vantage in action.vantages)

    def _asked(self, service: ServiceObserved, action: ProbeAction, vantage: str) -> ProbeObserved:
        """What a probe will be, before anything was sent."""
        now = _text(self._clock.now())
        return ProbeObserved(
            service=service.service,
            namespace=service.namespace,
            vantage=vantage,
            url=service.url,
            at=now,
            until=now,
            method=action.method,
            requested=action.requests,
            rate=action.rate,
            timeout=action.timeout,
        )

    def _run_places(
        self,
        by_place: Mapping[str, Sequence[Probe]],
        action: ProbeAction,
        asked: Mapping[str, ProbeObserved],
    ) -> dict[str, ProbeObserved]:
        """Run all places at once; what each vantage observed."""
        lead = max(self._leads.get(place, self._places.first_lead) for place in by_place)
        start = self._clock.now() + timedelta(seconds=lead)
        observed: dict[str, ProbeObserved] = {}
        with (
            TemporaryDirectory(prefix="vpm-probe-") as scratch,
            ThreadPoolExecutor() as pool,
            self._abandoning(),
        ):
            futures = {
                place: pool.submit(
                    self._run_place,
                    place,
                    probes,
                    action,
                    {probe.vantage: asked[probe.vantage] for probe in probes},
                    start,
                    Path(scratch) / _slug(place),
                )
                for place, probes in by_place.items()
            }
            for place, future in futures.items():
                try:
                    observed.update(future.result())
                except UsageError:
                    raise
                except VpmError as error:
                    for probe in by_place[place]:
                        observed[probe.vantage] = replace(asked[probe.vantage], error=str(error))
        return observed

    @contextmanager
    def _abandoning(self) -> Iterator[None]:
        """End the engines once somebody interrupts: the pool's threads wait for them."""
        try:
            yield
        except KeyboardInterrupt:
            self._places.abandon()
            raise

    def _run_place(
        self,
        place: str,
        probes: Sequence[Probe],
        action: ProbeAction,
        asked: Mapping[str, ProbeObserved],
        start: datetime,
        scratch: Path,
    ) -> dict[str, ProbeObserved]:
        """Run one engine for all vantages of a place."""
        begun = self._clock.now()
        lead = (start - begun).total_seconds()
        plan = agent_plan(
            probes,
            action,
            place=place,
            start_at=start.timestamp(),
            lead=lead,
            ca_pem=self._places.authority(action.scheme),
        )
        window = (action.warmup + action.requests) / action.rate
        request = ProbeRequest(plan, scratch, lead + window + action.timeout + _GRACE)
        vantage = self._places.open(place, namespace=next(iter(asked.values())).namespace)
        result = vantage.probe(request)
        with result.samples.open("rb") as lines:
            output = read_output(lines, rates={probe.target: action.rate for probe in probes})
        offset = _clock_offset(output.utc, begun, self._clock.now())
        if not offset:
            took = output.utc - begun.timestamp()
            self._leads[place] = min(_LONGEST_LEAD, max(_LOCAL_LEAD, 1.5 * took))
        return {
            probe.vantage: self._observed(
                probe,
                output,
                asked=asked[probe.vantage],
                identity=_identity(probe, result.vantage, output, offset),
                action=action,
            )
            for probe in probes
        }

    def _observed(
        self,
        probe: Probe,
        output: AgentOutput,
        *,
        asked: ProbeObserved,
        identity: VantageIdentity,
        action: ProbeAction,
    ) -> ProbeObserved:
        """The summary of one vantage, with its samples kept as a file."""
        attempts = output.attempts[probe.target]
        last = own_summary(output.summary, target=probe.target, counted=has_samples(action))
        lines = [output.first, *(attempt.line for attempt in attempts), last]
        content = b"".join(lines)
        artefact = self._store.artefact(f"samples/{probe.target}.jsonl", content, compress=True)
        samples = [attempt.sample for attempt in attempts]
        thresholds = sorted({o.threshold for o in action.objectives if o.threshold is not None})
        observed = (
            summarise(samples, asked=asked, thresholds=thresholds)
            if has_samples(action)
            else observed_from_summary(
                output.summary, target=probe.target, asked=asked, thresholds=thresholds
            )
        )
        planned = action.warmup + action.requests
        lost = planned - observed.total
        ends = [_parsed(s.at) + timedelta(seconds=s.seconds) for s in samples]
        return replace(
            observed,
            at=min((s.at for s in samples), default=asked.at),
            until=_text(max(ends)) if ends else asked.until,
            identity=identity,
            samples=artefact,
            error=f"the probe engine lost {lost} of {planned} attempts" if lost else None,
        )


def _identity(
    probe: Probe, vantage: VantageIdentity, output: AgentOutput, offset: float
) -> VantageIdentity:
    """Who sent the samples: what the cluster says, completed by what the engine says."""
    return replace(
        vantage,
        name=probe.vantage,
        host=vantage.host or output.identity["host"],
        pod=vantage.pod or output.identity["pod"],
        node=vantage.node or output.identity["node"],
        resolver=", ".join(output.resolvers),
        source_address=output.source_addresses.get(probe.target) or vantage.source_address,
        clock_offset=offset,
        agent_sha256=hashlib.sha256(agent_bytes()).hexdigest(),
    )


def _clock_offset(utc: float, begun: datetime, ended: datetime) -> float:
    """How far a prober's clock is off at least: 0 when its start lies within its run, as seen
    by the devbox's clock; else the distance in seconds, positive for a clock that is ahead."""
    if utc < begun.timestamp():
        return utc - begun.timestamp()
    return max(0.0, utc - ended.timestamp())


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)
