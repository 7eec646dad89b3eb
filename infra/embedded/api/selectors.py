"""Label and field selectors.  Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.embedded.errors import BadRequest
from infra.embedded.kinds import EVENT, NAMESPACE, NODE, POD, SECRET, Kind

Obj = dict[str, Any]
Matcher = Callable[[Obj], bool]

_SET = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^()]*)\)$")
_EQUALITY = re.compile(r"^([^=!<>\s]+)\s*(==|=|!=)\s*([^=!<>\s]*)$")
_KEY = re.compile(r"^(!?)\s*([A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?)$")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label: `values` is None when only its presence counts."""

    key: str
    wanted: bool
    values: frozenset[str] | None

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        found = value is not None if self.values is None else value in self.values
        return found == self.wanted


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Parse `a=b,c!=d,e in (f,g),h,!i`; raises BadRequest."""
    return tuple(_requirement(term.strip()) for term in _split(text))


def _requirement(term: str) -> Requirement:
    if found := _SET.match(term):
        values = frozenset(v.strip() for v in found[3].split(","))
        return Requirement(found[1], found[2] == "in", values)
    if found := _EQUALITY.match(term):
        return Requirement(found[1], found[2] != "!=", frozenset([found[3]]))
    if found := _KEY.match(term):
        return Requirement(found[2], not found[1], None)
    raise BadRequest(f"unable to parse requirement: {term!r} is not a label selector")


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    return [term for term in re.split(r",(?![^(]*\))", text) if term.strip()]


_COMMON = ("metadata.name", "metadata.namespace")
_FIELDS: dict[Kind, tuple[str, ...]] = {
    POD: ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
          "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
    EVENT: ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
            "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
            "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"),
    NODE: ("spec.unschedulable",),
    NAMESPACE: ("status.phase",),
    SECRET: ("type",),
}  # fmt: skip


def parse_fields(kind: Kind, text: str) -> tuple[tuple[tuple[str, ...], bool, str], ...]:
    """Parse `metadata.name=x,status.phase!=y` into (path, wanted, value); raises BadRequest."""
    terms = []
    for term in _split(text):
        found = _EQUALITY.match(term.strip())
        if found is None:
            raise BadRequest(f'invalid selector: "{text}"; can\'t understand "{term}"')
        if found[1] not in (*_COMMON, *_FIELDS.get(kind, ())):
            label = f'"{found[1]}" is not a known field selector: only "metadata.name", '
            if kind.custom:
                raise BadRequest(f"field label not supported: {found[1]}")
            raise BadRequest(f'{label}"metadata.namespace"')
        terms.append((tuple(found[1].split(".")), found[2] != "!=", found[3]))
    return tuple(terms)


def matcher(kind: Kind, labels: str, fields: str) -> Matcher | None:
    """A test for both selectors; None when every object passes."""
    requirements, conditions = parse_labels(labels), parse_fields(kind, fields)
    if not requirements and not conditions:
        return None

    def matches(obj: Obj) -> bool:
        has = obj["metadata"].get("labels") or {}
        return all(r.holds(has) for r in requirements) and all(
            (_field(obj, path) == value) == wanted for path, wanted, value in conditions
        )

    return matches


def _field(obj: Any, path: tuple[str, ...]) -> str:
    for part in path:
        obj = obj.get(part, "") if isinstance(obj, dict) else ""
    if isinstance(obj, bool):
        return "true" if obj else "false"
    return str(obj)
