"""Evidence v1: one document per claim. The JSON Schema that ships is made from these types.

A document embeds the observations it rests on (`harness.core.observation`) and adds what was
derived from them. Additive changes keep the version; anything else is a new `SCHEMA`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from harness.core.identity import ClusterIdentity
from harness.core.observation import (
    Artefact,
    ColdStartObserved,
    ContractObserved,
    LoadObserved,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.outcome import Hop
from harness.core.record import ToolInfo
from harness.core.verdict import Claim, Verdict
from harness.evidence.canonical import Json, NotJson, json_lines, parse_object

SCHEMA: Literal["vpm.evidence/v1"] = "vpm.evidence/v1"
_EMPTY: tuple[Json, ...] = (None, "", [], {})
_OF_SOME_KINDS = frozenset(
    {"capabilities", "service", "contract", "load", "coldstart", "steps", "notes"}
)
RENDERER = 1
"""The version of the Markdown templates; a document says which one rendered it."""

Kind = Literal["ready", "sli", "run", "load", "autoscale", "coldstart", "contradiction", "scenario"]
Language = Literal["en", "ja"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a document is about: a KService, a run contract or a whole scenario."""

    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    generation: int | None = None
    observed_generation: int | None = None
    resource_version: str = ""
    revision: str = ""
    image: str = ""
    image_digest: str = ""

    @property
    def key(self) -> str:
        """`namespace/name`, or the name alone where there is no namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Window:
    """From the first to the last observation, UTC."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The scenario that asked for the check."""

    scenario: str
    source: str
    plan_sha256: str


@dataclass(frozen=True, slots=True)
class VantageEvidence:
    """What was seen from one vantage in one step, and what follows from the counts.

    `hops` counts failed attempts by the hop that they did not pass. `ratio` is good over valid;
    it and its 95 % Wilson interval are None without data.
    """

    step: str
    probe: ProbeObserved
    hops: Mapping[str, int] = field(default_factory=dict)
    first_broken: Hop | None = None
    ratio: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """One objective: the share `target` of valid requests succeeds (within `below` seconds).

    `observed` is met over valid, None without data. `proof_needs` is how many requests, all of
    them met, would prove the target; None where no number can.
    """

    claim: str
    indicator: str
    target: float
    met: int
    valid: int
    below: float | None = None
    observed: float | None = None
    proof_needs: int | None = None


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """How one step of a scenario went; seconds."""

    step: str
    verdict: Verdict
    reason: str
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    expected: bool | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One document. `claim` is what it states; `claims` are all claims about the same subject.

    `previous` are the hashes of the documents before it of the same claim.
    """

    schema: Literal["vpm.evidence/v1"]
    kind: Kind
    run_id: str
    subject: Subject
    claim: Claim
    captured_at: str
    window: Window
    origin: Origin
    tool: ToolInfo
    language: Language = "en"
    cluster: ClusterIdentity | None = None
    capabilities: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    service: ServiceObserved | None = None
    vantages: tuple[VantageEvidence, ...] = ()
    contract: ContractObserved | None = None
    load: LoadObserved | None = None
    coldstart: ColdStartObserved | None = None
    steps: tuple[StepEvidence, ...] = ()
    not_checked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    previous: tuple[str, ...] = ()
    renderer: int = RENDERER

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @property
    def claim_key(self) -> str:
        """What makes two documents of different runs be about the same claim."""
        return f"{self.kind} {self.subject.key} {self.origin.source}"

    @property
    def file_stem(self) -> str:
        """The document's file name below the run's `evidence/`, without suffix.

        Names of steps hold blanks but no `+`, so that two of them never share a file.
        """
        return f"{self.subject.key.replace('/', '.').replace(' ', '+')}.{self.kind}"


_ADAPTER: TypeAdapter[Evidence] = TypeAdapter(Evidence)


class Malformed(ValueError):
    """A document that is not evidence of this version; `field` says where."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def encode(evidence: Evidence) -> bytes:
    """The document's bytes: JSON in the order of the fields, one line for each field and for each
    item of a list, so that a difference between two documents is a few lines.

    Nested fields without a value are left out, as are those that only some kinds have, and where a
    probe is told by its counts alone, in READY's evidence, those that have their default.
    """
    value = _ADAPTER.dump_python(evidence, mode="json")
    if evidence.kind == "ready":
        brief = _ADAPTER.dump_python(evidence, mode="json", exclude_defaults=True)
        value["vantages"] = brief.get("vantages", [])
    parts = {key: _without_empty(part) for key, part in value.items()}
    absent = {key for key in _OF_SOME_KINDS if parts[key] in _EMPTY}
    return json_lines({key: part for key, part in parts.items() if key not in absent})


def _without_empty(value: Json) -> Json:
    """A part of a document without its empty texts, lists and objects; numbers always stay."""
    if isinstance(value, dict):
        kept = {key: _without_empty(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in _EMPTY}
    if isinstance(value, list):
        return [_without_empty(part) for part in value]
    return value


def decode(content: bytes) -> Evidence:
    """The document in `content`.

    Errors:
        Malformed: not JSON, another version, or a field that is missing, unknown or of a wrong
            type.
    """
    try:
        version = parse_object(content).get("schema")
    except NotJson as error:
        raise Malformed(str(error)) from error
    if version != SCHEMA:
        raise Malformed(f"version {version!r} is not known; {SCHEMA!r} is", field="schema")
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"{first['msg']}", field=place) from error


def json_schema() -> dict[str, Json]:
    """The JSON Schema of Evidence v1, made from the types."""
    schema: dict[str, Json] = _ADAPTER.json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://vpm-harness.dev/schemas/evidence-v1.json",
        **schema,
        "title": "vpm-harness evidence v1",
    }
