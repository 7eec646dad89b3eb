"""Reads what the probe engine printed: one JSON object a line, into samples.

The format is docs/probe-agent.md. The engine writes attempts in the order in which they end;
here they come back in the order of the schedule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.core.dig import JsonObject, mappings_at, number_at, seconds_at, text_at, value_at
from harness.core.errors import ProbeError
from harness.core.outcome import HOP_OF
from harness.core.sample import Sample

_NANOSECONDS = 1e9
_REVISION = re.compile(r"\brevision=([a-z0-9][a-z0-9.-]*)")
_UPSTREAM_TIME = "x-envoy-upstream-service-time"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sample with the line that it was read from and its number in the schedule."""

    sample: Sample
    number: int
    line: bytes


@dataclass(frozen=True, slots=True)
class AgentOutput:
    """One run of the engine.

    `utc` is the engine's clock when it began, in seconds since the epoch. `ended` is empty for
    a run that was killed. `late_start` is how much later than planned the window began (seconds).
    """

    utc: float
    identity: Mapping[str, str]
    resolvers: tuple[str, ...]
    attempts: Mapping[str, tuple[Attempt, ...]]
    ended: str = ""
    late_start: float = 0.0
    first: bytes = b""
    last: bytes = b""
    summary: JsonObject = field(default_factory=dict)
    source_addresses: Mapping[str, str] = field(default_factory=dict)


def read_output(lines: Iterable[bytes], *, rates: Mapping[str, float]) -> AgentOutput:
    """The run that the lines tell of.

    A last line that was cut off is left out, as is its attempt. `rates` are the planned rates of
    the targets, per second.

    Errors:
        ProbeError: the lines are not the engine's.
    """
    records = [(record, line) for line in lines if (record := _record(line)) is not None]
    if not records or records[0][0].get("record") != "start":
        raise ProbeError("the probe engine did not say that it started")
    start, first = records[0]
    attempts: dict[str, list[Attempt]] = {target: [] for target in rates}
    sources: dict[str, str] = {}
    for record, line in records[1:]:
        if record.get("record") != "sample":
            continue
        target = text_at(record, "target")
        rate = rates.get(target)
        if rate is None:
            raise ProbeError(f"the probe engine reports a target that was not asked: {target!r}")
        attempts[target].append(
            Attempt(read_sample(record, rate=rate), number_at(record, "seq"), line)
        )
        sources.setdefault(target, text_at(record, "local").rpartition(":")[0])
    summary, last = records[-1] if records[-1][0].get("record") == "summary" else ({}, b"")
    return AgentOutput(
        utc=number_at(start, "clock", "utc_ns") / _NANOSECONDS,
        identity={key: text_at(start, "identity", key) for key in _IDENTITY},
        resolvers=_texts(value_at(start, "identity", "resolvers")),
        attempts={
            target: tuple(sorted(found, key=lambda attempt: attempt.number))
            for target, found in attempts.items()
        },
        ended=text_at(summary, "ended"),
        late_start=seconds_at(summary, "late_start_s"),
        first=first,
        last=last,
        summary=summary,
        source_addresses=sources,
    )


_IDENTITY = ("host", "pod", "namespace", "node", "image", "agent", "python", "system")


def _record(line: bytes) -> JsonObject | None:
    """The object of one line; None for an empty line and for one that was cut off."""
    if not line.endswith(b"\n") or not line.strip():
        return None
    try:
        record = json.loads(line)
    except ValueError as error:
        shown = line[:80].decode(errors="replace").strip()
        raise ProbeError(f"the probe engine printed something else: {shown!r}") from error
    return record if isinstance(record, dict) else None


def read_sample(record: JsonObject, *, rate: float) -> Sample:
    """The sample of one record; `rate` (per second) places it in its schedule.

    Errors:
        ProbeError: its outcome is not of the closed list.
    """
    outcome = text_at(record, "outcome")
    if outcome not in HOP_OF:
        raise ProbeError(f"the probe engine reports an unknown outcome: {outcome!r}")
    target, number = text_at(record, "target"), number_at(record, "seq")
    status = number_at(record, "status")
    server = text_at(record, "headers", "server")
    # Envoy adds this header to answers from behind it, and to no answer of its own.
    behind = bool(text_at(record, "headers", _UPSTREAM_TIME))
    revision = _REVISION.search(text_at(record, "body_head"))
    phases = value_at(record, "phases")
    return Sample(
        id=f"{target}#{number}",
        target=target,
        at=text_at(record, "start_utc"),
        outcome=outcome,
        offset=number / rate,
        lateness=number_at(record, "lateness_ns") / _NANOSECONDS,
        seconds=seconds_at(record, "duration_s"),
        phases={name: seconds_at(phases, name) for name in phases}
        if isinstance(phases, Mapping)
        else {},
        warmup=value_at(record, "warmup") is True,
        status=status or None,
        detail=_detail(record, status=status, server=server, behind=behind),
        peer=text_at(record, "peer"),
        server=server,
        revision=revision[1] if revision else "",
        through_gateway=behind,
        by_gateway=bool(status) and "envoy" in server and not behind,
        by_address=text_at(record, "dns", "source") == "magic",
    )


def _detail(record: JsonObject, *, status: int, server: str, behind: bool) -> str:
    """The raw error, with the address it happened at or the answer that was not wanted."""
    detail = text_at(record, "detail")
    if not detail:
        return ""
    if not status:
        tried = [entry for entry in mappings_at(record, "addresses") if text_at(entry, "result")]
        place = _place(tried[-1]) if tried else ""
        return f"{place}: {detail}" if place else detail
    who = "from behind the gateway" if behind else f"by {server or 'a server without a name'}"
    body = text_at(record, "body_head").strip()[:80]
    return f"{detail}; status {status} {who}, {f'body {body!r}' if body else 'empty body'}"


def _place(tried: JsonObject) -> str:
    """An address that was tried, with its port: `127.0.0.1:80` or `[::1]:80`."""
    address = text_at(tried, "address")
    return f"{f'[{address}]' if ':' in address else address}:{number_at(tried, 'port')}"


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
