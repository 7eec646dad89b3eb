"""Run contracts, version 1: the types, their JSON Schema, and their canonical hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from harness.contracts.kinds import Kind, kind_of
from harness.contracts.refusal import ContractRefused, Reason, Refusal
from harness.contracts.strict_json import Json, parse_object, pretty, text_of

SCHEMA: Final = "vpm.contract/v1"

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=120)]
OBJECT_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
ObjectName = Annotated[str, Field(pattern=f"^{OBJECT_NAME}$", max_length=253)]
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
# A kubeconfig context; a star at the end stands for any rest.
Context = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@:/-]*\*?$", max_length=200)]
RelativePath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_./-]*$", max_length=255)]
Selector = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./=!,-]+$", max_length=255)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Seconds = Annotated[float, Field(gt=0, le=3600)]
# A time that is still one in every time zone.
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 12, 31, tzinfo=UTC)),
]
OneLine = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$", max_length=500)]


class Model(BaseModel):
    """Frozen and strict: an unknown key or a value of another type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Resource(Model):
    """One object, or with no name all objects of a kind, in the words of a manifest."""

    api: Annotated[str, Field(pattern=r"^[a-z0-9./-]+$", max_length=120)]
    kind: Annotated[str, Field(pattern=r"^[A-Za-z]+$", max_length=63)]
    name: ObjectName | None = None
    namespace: Namespace | None = None

    @property
    def known(self) -> Kind | None:
        """The kind in the table of kinds, or None."""
        return kind_of(self.api, self.kind)

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name or '*'}"


class Read(Model):
    """Show an object or a list of objects."""

    verb: Literal["get", "describe"]
    resource: Resource
    selector: Selector | None = None
    output: Literal["", "wide", "yaml", "json", "name"] = ""
    timeout: Seconds = 40.0


class Wait(Model):
    """Wait until a condition of an object is True."""

    verb: Literal["wait"]
    resource: Resource
    condition: Annotated[str, Field(pattern=r"^[A-Za-z]+$", max_length=63)] = "Ready"
    selector: Selector | None = None
    timeout: Seconds = 40.0


class Logs(Model):
    """Show the last lines of the logs of a pod, or of the pods of a selector."""

    verb: Literal["logs"]
    resource: Resource
    selector: Selector | None = None
    container: ObjectName | None = None
    tail: Annotated[int, Field(ge=1, le=5000)] = 200
    timeout: Seconds = 40.0


class Manifest(Model):
    """Compare with (`diff`) or bring about (`apply`) what a manifest of the overlay says.

    `timeout` bounds each command; for `apply` it also bounds the wait for READY.
    """

    verb: Literal["diff", "apply"]
    manifest: RelativePath
    resource: Resource
    timeout: Seconds = 120.0


Action = Annotated[Read | Wait | Logs | Manifest, Field(discriminator="verb")]


# Who approves: what a signature is over must have one spelling only.
PERSON = r"[A-Za-z0-9][A-Za-z0-9 _.@+-]*"
MAX_PERSON = 100


class Approval(Model):
    """Somebody's consent: over the hash of the manifests, on the contract's target.

    `diff` narrows it to one diff; `signature` (base64, ed25519) makes it `signed`.
    """

    by: Annotated[str, Field(pattern=f"^{PERSON}$", max_length=MAX_PERSON)]
    at: Moment
    over: Digest
    diff: Digest | None = None
    level: Literal["signed", "recorded"] = "recorded"
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+=*$", max_length=200)] | None = None


class Target(Model):
    """Where the contract may run: kubeconfig contexts (one of them) and a namespace."""

    contexts: Annotated[tuple[Context, ...], Field(min_length=1, max_length=10)]
    namespace: Namespace = "default"

    def covers(self, context: str) -> bool:
        """Whether the contract may run on a context."""
        return any(fnmatchcase(context, pattern) for pattern in self.contexts)

    def __str__(self) -> str:
        return f"{','.join(sorted(self.contexts))}/{self.namespace}"


class Origin(Model):
    """Where a contract that was asked for in a comment came from."""

    repo: OneLine = ""
    number: Annotated[int, Field(ge=0)] | None = None
    author: OneLine = ""
    association: OneLine = ""
    url: OneLine = ""


ContractKind = Literal["ask", "check", "apply", "noop", "update_north_star", "persist_report_mvp"]


class Contract(Model):
    """A request to the runner. Only `kind`, `target` and `actions` say what is done."""

    model_config = ConfigDict(title="vpm-harness run contract")

    schema_: Literal["vpm.contract/v1"] = Field(alias="schema")
    id: Identifier
    kind: ContractKind
    source: OneLine = ""
    created: Moment
    note: Annotated[str, Field(max_length=4000)] = ""
    target: Target
    scope: RelativePath | None = Field(
        default=None, description="The file that the approver was shown."
    )
    actions: Annotated[tuple[Action, ...], Field(max_length=50)] = ()
    approval: Approval | None = None
    origin: Origin | None = None
    context_document: Annotated[str, Field(max_length=32_000)] | None = None
    again_of: Identifier | None = None
    converted_from: Literal["ask", "canary", "apply", "noop"] | None = None

    @field_validator("created")
    @classmethod
    def _utc(cls, value: datetime) -> datetime:
        return value.astimezone(UTC)

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The actions that read a manifest."""
        return tuple(action for action in self.actions if isinstance(action, Manifest))

    @property
    def applies(self) -> bool:
        """Whether the contract would change a cluster."""
        return any(action.verb == "apply" for action in self.actions)


def parse_contract(data: bytes) -> Contract:
    """The contract of version 1 in `data`.

    Errors:
        ContractRefused: `too_large`, `not_json`, or `invalid` once for each problem.
    """
    parse_object(data)
    return validated(data)


def validated(data: bytes) -> Contract:
    """The contract in bytes that `parse_object` has accepted.

    Errors:
        ContractRefused: `invalid` once for each problem.
    """
    try:
        return Contract.model_validate_json(data)
    except ValidationError as error:
        raise ContractRefused(*map(_refusal, error.errors(include_url=False))) from error


def validate(value: dict[str, Json]) -> Contract:
    """The contract that a JSON object says.

    Errors:
        ContractRefused: `invalid` once for each problem.
    """
    return validated(text_of(value))


def dump(contract: Contract) -> bytes:
    """The contract as a file: JSON that `parse_contract` reads back to an equal contract."""
    return pretty(contract.model_dump(mode="json", by_alias=True, exclude_none=True))


def stamp(template: bytes, *, id: str, created: datetime) -> bytes:
    """A contract made from a template: the same work under an id and a time of its own.

    Errors:
        ContractRefused: the template is not a contract, or the id is not an identifier.
    """
    value = parse_object(template)
    value.update(id=id, created=created.astimezone(UTC).isoformat())
    return dump(validate(value))


def extended(contract: Contract, contexts: Sequence[str]) -> Contract:
    """The contract for further contexts, too; what it names already is not repeated.

    Errors:
        ContractRefused: one is not a context's name, or there are too many.
    """
    value = contract.model_dump(mode="json", by_alias=True, exclude_none=True)
    value["target"]["contexts"] = list(dict.fromkeys([*contract.target.contexts, *contexts]))
    return validate(value)


def approved_content(manifests: Sequence[str]) -> str:
    """What an approval is over: the one manifest's digest, or a digest of several in order."""
    if len(manifests) == 1:
        return manifests[0]
    return digest("\n".join(manifests).encode())


def content_hash(contract: Contract, manifests: Sequence[str]) -> str:
    """The hash of the work: kind, target, actions and the manifests' digests.

    The id, times, notes and approvals are left out: they do not change what is done.
    """
    work = contract.model_dump(mode="json", include={"kind", "target", "actions"})
    return digest(text_of({**work, "manifests": list(manifests)}))


def digest(content: bytes) -> str:
    """`sha256:` and the lower-case hexadecimal hash of `content`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def json_schema() -> dict[str, object]:
    """The JSON Schema of a contract, generated from the types."""
    return Contract.model_json_schema()


def _refusal(error: ErrorDetails) -> Refusal:
    where = ".".join(str(part) for part in error["loc"])
    return Refusal(Reason.INVALID, error["msg"][:200], where[:200])
