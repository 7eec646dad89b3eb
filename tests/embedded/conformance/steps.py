"""Timelines of recorded commands: what the commands caused, and changes between them.

A timeline whose steps are named as the commands of a file shows what happened meanwhile: the
transitions of objects, and changes of traffic that no command of the file makes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.embedded.conformance import orders, reading
from tests.embedded.conformance.following import following
from tests.embedded.conformance.load import Target, ask
from tests.embedded.conformance.outcome import Case, Replay
from tests.embedded.conformance.recorded import Recorded
from tests.embedded.conformance.sequences import State
from tests.embedded.conformance.services import place

_CHANGES = re.compile(r"^kubectl (apply|create|patch|replace|delete|annotate|label) ")
_SPARE = 0.5  # seconds by which the clocks of the recorder's two files may differ


@dataclass(frozen=True, slots=True)
class Traffic:
    """A change of a service's traffic."""

    namespace: str
    name: str
    targets: str  # JSON


@dataclass(frozen=True, slots=True)
class Following:
    """What a timeline shows of some commands; nothing without a timeline."""

    path: Path | None = None
    states: tuple[State, ...] = ()
    between: tuple[tuple[int, Traffic], ...] = ()  # before which command
    namespace: str = ""

    def changes(self, index: int) -> Iterator[Traffic]:
        """The changes that come before a command."""
        yield from (change for at, change in self.between if at == index)

    def watch(self, what: Replay) -> AbstractContextManager[list[State]]:
        """What happens to the objects that the timeline shows."""
        kinds = sorted({state.kind for state in self.states})
        if not kinds:
            return nullcontext([])
        if self.namespace != "default":
            what.cluster.kubectl("create", "namespace", self.namespace)
        return following(what.cluster, self.namespace, kinds)

    def cases(self, seen: Sequence[State]) -> Iterator[Case]:
        """Whether the states came in the recorded order."""
        yield from orders.compared(self.states, seen, ())


def of(path: Path, entries: Sequence[Recorded]) -> Following:
    """The timeline beside a file of commands, some of which it names as steps."""
    begins = {entry.name: entry.at - entry.took for entry in entries if entry.at}
    places = dict(
        reversed(place(manifest))
        for entry in entries
        for manifest in reading.manifests(entry.stdin)
        if manifest.get("kind") == "Service"
    )
    for timeline in sorted(path.parent.glob("*timeline*.txt")):
        known = [(at, name) for at, name in orders.steps(timeline) if name in begins]
        states = [s for s in orders.recorded(timeline) if known]
        namespaces = {places[s.name] for s in states if s.name in places}
        zeros = [begins[name] - at for at, name in known]
        if len(namespaces) == 1 and max(zeros) - min(zeros) < 2 * _SPARE:  # else of another run
            zero = min(zeros)
            between = tuple(_between(states, entries, zero, places))
            return Following(timeline, tuple(states), between, namespaces.pop())
    return Following()


def _between(
    states: Sequence[State], entries: Sequence[Recorded], zero: float, places: dict[str, str]
) -> Iterator[tuple[int, Traffic]]:
    """The generations of services that come from no command, by the traffic they lead to."""
    changing = [e for e in entries if _CHANGES.match(e.command) and e.code == 0]
    spans = [(e.at - e.took - zero - _SPARE, e.at - zero + _SPARE) for e in changing]
    known: dict[str, int] = {}
    for state in states:
        if state.kind != "Service" or state.generation <= known.get(state.name, 0):
            continue
        known[state.name] = state.generation
        caused = any(begin <= state.at <= end for begin, end in spans)
        targets = _traffic(states, state)
        if not caused and targets and state.name in places:
            later = (n for n, e in enumerate(entries) if e.at - e.took - zero > state.at)
            change = Traffic(places[state.name], state.name, targets)
            yield next(later, len(entries)), change


def _traffic(states: Sequence[State], change: State) -> str:
    """The targets that a route had in the end of a service's generation."""
    shown = [
        state.facets["traffic"]
        for state in states
        if (state.kind, state.name, state.generation) == ("Route", change.name, change.generation)
        and "traffic" in state.facets
    ]
    return json.dumps([_target(target) for target in json.loads(shown[-1])]) if shown else ""


def _target(shown: dict[str, object]) -> dict[str, object]:
    """A target of a spec from that of a status."""
    left_out = {"url", "revisionName" if shown.get("latestRevision") else ""}
    return {key: value for key, value in shown.items() if key not in left_out}


def make(what: Replay, change: Traffic) -> None:
    """Change a service's traffic, wait until it is so, and look: its revisions have requests."""
    spec = f'{{"spec": {{"traffic": {change.targets}}}}}'
    kubectl, where = what.cluster.kubectl, ("-n", change.namespace)
    kubectl("patch", "ksvc", change.name, *where, "--type=merge", "-p", spec)
    kubectl("wait", "--for=condition=Ready", f"ksvc/{change.name}", *where, "--timeout=30s")
    if what.cluster.embedded:
        ask(Target.of(what.cluster.info, f"{change.name}.{change.namespace}"))
