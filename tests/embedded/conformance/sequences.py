"""Recorded states of objects in their order, from any of the forms of recordings.  Pure.

An object's state is a handful of facets: each condition, and what else tells of its progress.
Objects are reconciled side by side, so the order is compared for each facet of each object.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

from tests.embedded.conformance.histories import Step, steps, values
from tests.embedded.conformance.normal import either_half, text, value
from tests.embedded.conformance.reading import number

_LINE = re.compile(
    r"^ *(-?\d+\.\d+) (?:(ADDED|MODIFIED|DELETED) +)?([A-Z]\w+)/(\S+)(.*)$", re.DOTALL
)
_STEP = re.compile(r"^# step at (\d+\.\d+)s: (.*)$")
_CONDITION = re.compile(r"([A-Za-z][\w./-]*)=(True|False|Unknown)(?:\((.*)\))?", re.DOTALL)
_NEXT = re.compile(r"; (?=[A-Za-z][\w./-]*=(?:True|False|Unknown)\b)")
_GENERATION = re.compile(r"\bgen=(\d+)")
_DOCUMENT = re.compile(r"(?:^| )((?:\{|\[\{).*|null)$")
_HASHES = re.compile(r"(-deployment)-[a-z0-9]{6,10}(-[a-z0-9]{5})?\b")
_SLICE = re.compile(r"(-\d{5}|-private)-[a-z0-9]{5}$")  # of EndpointSlices
# Besides the conditions: what a recording may show of an object, and where the object has it.
_FACETS: Mapping[str, tuple[str, ...]] = {
    "phase": ("status", "phase"),
    "mode": ("spec", "mode"),
    "desiredScale": ("status", "desiredScale"),
    "latestCreatedRevisionName": ("status", "latestCreatedRevisionName"),
    "latestReadyRevisionName": ("status", "latestReadyRevisionName"),
    "url": ("status", "url"),
    "spec.replicas": ("spec", "replicas"),
    "traffic": ("status", "traffic"),
}
_BEING = "object"  # added, deleted
_TARGET = ("revisionName", "latestRevision", "percent", "tag", "url")


@dataclass(frozen=True, slots=True)
class State:
    """What was seen of an object at a time: what became of it, and some of its facets."""

    at: float
    verb: str  # ADDED, MODIFIED or DELETED; empty when it is not recorded
    kind: str
    name: str
    generation: int
    facets: Mapping[str, str]


def events(lines: Iterable[str]) -> Iterator[State]:
    """The states in recorded watch events, each a JSON object in a line."""
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield from _event(entry)


def _event(entry: Mapping[str, Any]) -> Iterator[State]:
    """The state in an event: of a watch, with when and of what kind, or of its parts."""
    inner = entry.get("event", entry)
    if not isinstance(inner, dict):
        return
    obj = inner.get("obj", inner.get("object", inner))
    meta = obj.get("metadata", obj) if isinstance(obj, dict) else None
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        return
    kind, at = str(entry.get("kind") or obj.get("kind") or ""), _seconds(entry)
    if kind not in ("", "Event"):
        yield seen(at, str(inner.get("type") or ""), kind, {**obj, "metadata": meta})


def _seconds(entry: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(entry.get("received"))).timestamp()
    except ValueError:
        return number(entry.get("t"))


def seen(at: float, verb: str, kind: str, obj: Mapping[str, Any]) -> State:
    """The state of an object that a watch shows."""
    facets: dict[str, str] = {}
    for name, (part, key) in _FACETS.items():
        found = (obj.get(part) or {}).get(key)
        if found not in (None, ""):
            facets[name] = _shown(name, found)
    for condition in (obj.get("status") or {}).get("conditions") or ():
        told = f"{condition.get('reason') or ''}: {condition.get('message') or ''}".strip(": ")
        facets[f"condition {condition['type']}"] = text(f"{condition['status']} {told}")
    meta = obj["metadata"]
    generation = meta.get("generation") or 0
    return State(at, verb, kind, str(meta["name"]), int(generation), facets)


def _shown(name: str, found: Any) -> str:
    if name == "traffic" and isinstance(found, list):
        targets = [{k: t[k] for k in _TARGET if t.get(k) not in (None, False, "")} for t in found]
        return json.dumps(value(targets), sort_keys=True)
    return text(str(found))


def timeline(lines: Iterable[str]) -> Iterator[State]:
    """The states in the lines of a timeline; comments and events are left out."""
    for line in _joined(lines):
        if found := _LINE.match(line):
            rest = found[5].strip()
            generation = _GENERATION.search(rest)
            facets = dict(_facets(rest.replace("changed:[", " ").replace("] {", " {")))
            number = int(generation[1]) if generation else 0
            yield State(float(found[1]), found[2] or "", found[3], found[4], number, facets)


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Lines with those that continue them, for messages may have lines."""
    whole: list[str] = []
    for line in lines:
        if whole and re.match(r" *-?\d+\.\d+ |#", line):
            yield "\n".join(whole)
            whole = []
        whole.append(line.rstrip("\n"))
    yield "\n".join(whole)


def _facets(rest: str) -> Iterator[tuple[str, str]]:
    document = _DOCUMENT.search(rest)
    if document:
        rest = rest[: document.start()]
        yield from _fields(document[1])
    for part in _NEXT.split(rest):
        if found := _CONDITION.search(part):
            reason, _, message = (found[3] or "").partition(": ")
            told = f"{reason}: {'' if message == 'None' else message}".strip(": ")
            yield f"condition {found[1]}", text(f"{found[2]} {told}")


def _fields(document: str) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return
    if isinstance(found, list):
        yield "traffic", _shown("traffic", found)
    for name in _FACETS.keys() & (found if isinstance(found, dict) else {}).keys():
        if found[name] not in (None, ""):
            yield name, _shown(name, found[name])


def begun(lines: Iterable[str]) -> list[tuple[float, str]]:
    """When the steps of a timeline began, and what they are called."""
    return [(float(found[1]), found[2]) for line in lines if (found := _STEP.match(line))]


History = Mapping[str, Sequence[Step]]  # by facet
Objects = Mapping[tuple[str, str], Sequence[History]]  # by kind and name without made-up parts


def objects(states: Iterable[State]) -> Objects:
    """The history of each object; several that differ in made-up names come in their order."""
    by_name: dict[tuple[str, str], list[State]] = {}
    for state in states:
        by_name.setdefault((state.kind, state.name), []).append(state)
    found: dict[tuple[str, str], list[History]] = {}
    for (kind, name), own in by_name.items():
        known = _SLICE.sub(r"\1-HASH", _HASHES.sub(r"\1-HASH", name))
        found.setdefault((kind, known), []).append(_history(own))
    return found


def _history(states: Sequence[State]) -> History:
    names = sorted({name for state in states for name in state.facets})
    history = {name: steps((s.at, _neutral(s, name)) for s in states) for name in names}
    there = steps((s.at, s.verb) for s in states if s.verb in ("ADDED", "DELETED"))
    return {_BEING: there, **history} if there else history


def _neutral(state: State, facet: str) -> str | None:
    """A facet without made-up names; None for one that a state does not show, or need not."""
    shown = state.facets.get(facet)
    if shown is None or (state.kind == "Pod" and _STARTING.fullmatch(shown)):
        return None
    return either_half(_HASHES.sub(r"\1-HASH", shown))


_PASSING = 0.25  # real seconds, of the recorded cluster
_PASSING_HERE = 1.0  # of this machine, which does other things besides
# What recordings of the same changes in the same cluster show in one and not in the other.
_SOMETIMES = re.compile(
    r"condition \w+=Unknown NotReady|condition ContainerHealthy=Unknown"
    r"|condition \w+=False ConfigurationMissing(: Configuration \"NAME\" referenced in .*)?"
)
# The kubelet writes the stages before all containers of a Pod have started, or it does not.
_STARTING = re.compile(r"False ContainersNotReady: .*\[\S+ .*\]|False")


def compare(wanted: Iterable[State], got: Iterable[State]) -> Iterator[tuple[str, list[str]]]:
    """Each object, and where its facets did not come in the recorded order.

    A state that was recorded for less than a quarter of a second, or seen for less than a second,
    may be missing on the other side, if that knows it from elsewhere: controllers that are slower
    pass over it.  Objects that were there before, of which the recording shows nothing, may be
    touched.
    """
    before, after = _alike(list(wanted), list(got))
    recorded, own = objects(before), objects(after)
    known, shown = _known(recorded), _known(own)
    for kind, name in sorted(recorded.keys() | own.keys()):
        first, second = recorded.get((kind, name), ()), own.get((kind, name), ())
        if not first and not any(_BEING in history for history in second):
            continue
        found = [] if len(first) == len(second) else [f"{len(first)} -> {len(second)} objects"]
        for a, b in zip(first, second, strict=False):
            for facet in a:
                other = b.get(facet, ())
                sides = (
                    _Side(a[facet], shown, name, facet, _PASSING),
                    _Side(other, known, name, facet, _PASSING_HERE),
                )
                if sides[0].values != sides[1].values:
                    steady = sides[0].steady(sides[1]), sides[1].steady(sides[0])
                    found += [f"{facet}: {line}" for line in _unlike(*steady)]
        yield f"{kind}/{name}", found


def _alike(wanted: list[State], got: list[State]) -> tuple[list[State], list[State]]:
    """Both without the messages of conditions, where the recording has only reasons."""
    told = (v for s in wanted for f, v in s.facets.items() if f.startswith("condition "))
    if any(": " in shown for shown in told):
        return wanted, got
    return wanted, [replace(s, facets={f: _reason(f, v) for f, v in s.facets.items()}) for s in got]


def _reason(facet: str, shown: str) -> str:
    return shown.partition(": ")[0] if facet.startswith("condition ") else shown


def _known(found: Objects) -> set[str]:
    """All values, whatever the names in them."""
    return {
        _anyone(step.value, name)
        for (_, name), histories in found.items()
        for history in histories
        for history_of_facet in history.values()
        for step in history_of_facet
    }


def _anyone(shown: str, name: str) -> str:
    return shown.replace(re.sub(r"-\d{5}.*$", "", name), "NAME")


@dataclass(frozen=True, slots=True)
class _Side:
    """The history of a facet on one side, and what the other side knows."""

    history: Sequence[Step]
    known: set[str]
    name: str
    facet: str
    passing: float

    @property
    def values(self) -> list[str]:
        return values(self.history)

    def lasting(self, other: _Side, matched: set[int]) -> list[str]:
        """The values but for those that the other side may have passed over."""
        ends = [*(step.at for step in self.history[1:]), float("inf")]
        surplus = Counter(self.values) - Counter(other.values)
        left = [
            step
            for n, (step, end) in enumerate(zip(self.history, ends, strict=False))
            if n in matched or not surplus[step.value] or not self._passes(step, end - step.at)
        ]
        return values(steps((step.at, step.value) for step in left))

    def steady(self, other: _Side) -> _Side:
        """Without short returns to an earlier value that the other side has not: late writes."""
        found, surplus = list(self.history), Counter(self.values) - Counter(other.values)
        n = 0
        while n + 2 < len(found):
            first, flicker, again = found[n : n + 3]
            extra = first.value == again.value and surplus[flicker.value] and surplus[again.value]
            if extra and self._passes(flicker, again.at - flicker.at):
                surplus.subtract([flicker.value, again.value])
                del found[n + 1 : n + 3]
            else:
                n += 1
        return replace(self, history=found)

    def _passes(self, step: Step, held: float) -> bool:
        told = _anyone(step.value, self.name)
        # Shares of traffic come one after the other: nothing else shows the same ones.
        known = held < self.passing and (told in self.known or self.facet == "traffic")
        return known or bool(_SOMETIMES.fullmatch(f"{self.facet}={told}"))


def _unlike(recorded: _Side, own: _Side) -> Iterator[str]:
    """Where two histories differ, each with the value before it."""
    blocks = SequenceMatcher(None, recorded.values, own.values, autojunk=False)
    same = blocks.get_matching_blocks()
    before = recorded.lasting(own, {m.a + n for m in same for n in range(m.size)})
    after = own.lasting(recorded, {m.b + n for m in same for n in range(m.size)})
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            since = f"after {before[a - 1]!r}: " if a else ""
            yield f"{since}{' | '.join(before[a:b]) or '-'} -> {' | '.join(after[c:d]) or '-'}"
