"""The policy: what contracts may do. The file's types, and the pure judgement on facts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from harness.contracts.facts import ManifestFacts, ObjectFacts
from harness.contracts.kinds import BY_IDENT
from harness.contracts.model import (
    Action,
    Context,
    Contract,
    ContractKind,
    Logs,
    Manifest,
    Model,
    Namespace,
    RelativePath,
    Resource,
    Wait,
)
from harness.contracts.paths import is_below, leaves
from harness.contracts.refusal import Reason, Refusal
from harness.contracts.strict_json import text_of
from harness.contracts.strict_yaml import UnusableYaml, documents
from harness.core.errors import Problem, SpecError
from harness.spec.suggest import suggest
from harness.spec.yaml_source import Path, Source, read_yaml

Verb = Literal["get", "describe", "wait", "logs", "diff", "apply"]

VERBS_OF: Mapping[ContractKind, frozenset[Verb]] = {
    "ask": frozenset({"get", "describe", "wait", "logs", "diff"}),
    "check": frozenset({"get", "describe", "wait", "logs", "diff"}),
    "apply": frozenset({"get", "describe", "wait", "logs", "diff", "apply"}),
    "noop": frozenset(),
    "update_north_star": frozenset(),
    "persist_report_mvp": frozenset(),
}
NOT_EXECUTABLE_YET = frozenset({"update_north_star", "persist_report_mvp"})


class Limits(Model):
    """Upper bounds: sizes in bytes, timeouts in seconds."""

    contract_bytes: int = 65_536
    manifest_bytes: int = 262_144
    objects: int = 20
    actions: int = 20
    timeout: float = 600.0


class Signer(Model):
    """Somebody whose signed approvals count; `key` is an ed25519 public key in base64."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class ApprovalRules(Model):
    """Whose consent counts. `recorded_on` lists the providers where a name alone is enough."""

    signers: tuple[Signer, ...] = ()
    recorded_on: tuple[Literal["embedded", "kind", "existing"], ...] = ()


class AskRules(Model):
    """Whose comments become contracts, by GitHub's author association."""

    may_propose: tuple[str, ...] = ("OWNER", "MEMBER", "COLLABORATOR")
    approvers: tuple[str, ...] = ()


class HistoricalRules(Model):
    """The target of the historical forms, which name none."""

    contexts: Annotated[tuple[Context, ...], Field(min_length=1)] = ("kind-vpm-mini",)
    namespace: Namespace = "default"


class Policy(Model):
    """What contracts may do in this repository. What is not listed is not allowed."""

    schema_: Literal["vpm.policy/v1"] = Field(alias="schema")
    kinds: tuple[ContractKind, ...]
    verbs: tuple[Verb, ...]
    contexts: tuple[Annotated[str, Field(min_length=1)], ...]
    namespaces: tuple[Namespace, ...]
    overlays: tuple[RelativePath, ...]
    may_read: tuple[str, ...]
    may_apply: tuple[str, ...]
    limits: Limits = Limits()
    approvals: ApprovalRules = ApprovalRules()
    ask: AskRules = AskRules()
    historical: HistoricalRules = HistoricalRules()

    def allows_context(self, context: Context) -> bool:
        """Whether a context, or all contexts of one that ends with a star, are allowed."""
        return any(fnmatchcase(context, pattern) for pattern in self.contexts)


def parse_policy(data: bytes, *, source: str) -> Policy:
    """The policy in a YAML file; `source` names the file in messages.

    Errors:
        SpecError: every problem of the file.
    """
    places = Source(source)
    try:
        found = documents(data)
        if len(found) != 1:
            raise SpecError([Problem(source, 1, 1, "one document is wanted")])
        places = read_yaml(data.decode(), source)
        policy = Policy.model_validate_json(text_of(found[0]))
    except UnusableYaml as error:
        problem = Problem(source, error.line, error.column, f"not YAML as it is read here: {error}")
        raise SpecError([problem]) from error
    except ValidationError as error:
        raise SpecError(_problems(places, error)) from error
    except (TypeError, ValueError) as error:
        path = next(_not_plain(found[0]), ())
        raise SpecError([places.problem(path, f"not plain data: {error}")]) from error
    unknown = [
        places.problem((key, index), f"unknown kind {ident}", suggest(ident, BY_IDENT))
        for key, idents in (("may_read", policy.may_read), ("may_apply", policy.may_apply))
        for index, ident in enumerate(idents)
        if ident not in BY_IDENT
    ]
    if unknown:
        raise SpecError(unknown)
    return policy


def _not_plain(value: object, path: Path = ()) -> Iterator[Path]:
    """Where values stand that JSON has no word for: dates, infinities."""
    match value:
        case dict():
            for key, item in value.items():
                yield from _not_plain(item, (*path, str(key)))
        case list():
            for index, item in enumerate(value):
                yield from _not_plain(item, (*path, index))
        case float() if not math.isfinite(value):
            yield path
        case None | bool() | int() | float() | str():
            pass
        case _:
            yield path


def _problems(places: Source, error: ValidationError) -> list[Problem]:
    return [
        places.problem(
            found["loc"],
            f"{'.'.join(map(str, found['loc']))}: {found['msg']}",
            key=found["type"] == "extra_forbidden",
        )
        for found in error.errors(include_url=False)
    ]


def judge(
    *, contract: Contract, facts: Mapping[str, ManifestFacts], policy: Policy
) -> tuple[Refusal, ...]:
    """Every reason why the policy forbids the contract; none means that it is allowed.

    A pure function. `facts` holds an entry for each path that the contract names (manifests
    and scope). Approvals are judged apart, because a preview does not need one.
    """
    return tuple(
        refusal
        for rule in (_kind, _target, _actions, _scope)
        for refusal in rule(contract, facts, policy)
    )


Facts = Mapping[str, ManifestFacts]
Refusals = Iterator[Refusal]


def _kind(contract: Contract, _facts: Facts, policy: Policy) -> Refusals:
    if contract.kind not in policy.kinds:
        yield Refusal(Reason.KIND, f"{contract.kind} is not among {', '.join(policy.kinds)}")
    elif contract.kind in NOT_EXECUTABLE_YET:
        yield Refusal(Reason.NOT_EXECUTABLE, f"no part of this version carries out {contract.kind}")
    if contract.kind == "apply" and not contract.applies:
        yield Refusal(Reason.INVALID, "a contract of kind apply has no apply action")


def _target(contract: Contract, _facts: Facts, policy: Policy) -> Refusals:
    for context in contract.target.contexts:
        if not policy.allows_context(context):
            allowed = ", ".join(policy.contexts)
            yield Refusal(Reason.CONTEXT, f"{context} is not among {allowed}", "target.contexts")
    if contract.target.namespace not in policy.namespaces:
        yield _namespace(contract.target.namespace, policy, "target.namespace")


def _namespace(namespace: str, policy: Policy, where: str) -> Refusal:
    allowed = ", ".join(policy.namespaces)
    return Refusal(Reason.NAMESPACE, f"{namespace or 'none'} is not among {allowed}", where)


def _actions(contract: Contract, facts: Facts, policy: Policy) -> Refusals:
    if len(contract.actions) > policy.limits.actions:
        detail = f"{len(contract.actions)} actions; at most {policy.limits.actions}"
        yield Refusal(Reason.TOO_LARGE, detail, "actions")
    for index, action in enumerate(contract.actions):
        where = f"actions[{index}]"
        if action.verb not in policy.verbs or action.verb not in VERBS_OF[contract.kind]:
            detail = f"{action.verb} in a contract of kind {contract.kind}"
            yield Refusal(Reason.VERB, detail, where)
        if action.timeout > policy.limits.timeout:
            detail = f"{action.timeout:g} s; at most {policy.limits.timeout:g} s"
            yield Refusal(Reason.TIMEOUT, detail, where)
        yield from _resource(action, contract, policy, where)
        if isinstance(action, Manifest):
            yield from _manifest(action, facts[action.manifest], contract, policy, where)


def _resource(action: Action, contract: Contract, policy: Policy, where: str) -> Refusals:
    resource = action.resource
    allowed = policy.may_apply if isinstance(action, Manifest) else policy.may_read
    if resource.known is None or resource.known.ident not in allowed:
        yield Refusal(Reason.RESOURCE, f"{resource.api}/{resource.kind} to {action.verb}", where)
    elif resource.known.namespaced:
        namespace = resource.namespace or contract.target.namespace
        if namespace not in policy.namespaces or namespace != contract.target.namespace:
            yield _namespace(namespace, policy, where)
    if isinstance(action, Logs) and resource.kind != "Pod":
        yield Refusal(Reason.RESOURCE, f"logs come from a Pod, not from a {resource.kind}", where)
    if isinstance(action, Manifest):
        return
    if resource.name and action.selector:
        yield Refusal(Reason.INVALID, "name and selector exclude each other", where)
    if isinstance(action, Wait | Logs) and not (resource.name or action.selector):
        yield Refusal(Reason.INVALID, f"{action.verb} wants a name or a selector", where)


def _manifest(
    action: Manifest, facts: ManifestFacts, contract: Contract, policy: Policy, where: str
) -> Refusals:
    if leaves(action.manifest):
        yield Refusal(Reason.PATH, f"{action.manifest}: written with .. or from the root", where)
    elif not facts.real:
        detail = f"{action.manifest}: {facts.problem or 'leads out of the repository'}"
        yield Refusal(Reason.PATH, detail, where)
    elif not is_below(facts.real, policy.overlays):
        allowed = ", ".join(policy.overlays)
        yield Refusal(Reason.PATH, f"{facts.real} is not below {allowed}", where)
    elif facts.remote:
        yield Refusal(Reason.REMOTE, ", ".join(facts.remote)[:300], where)
    elif facts.problem:
        yield Refusal(Reason.MANIFEST, f"{action.manifest}: {facts.problem}", where)
    else:
        yield from _content(action, facts, contract, policy, where)


def _content(
    action: Manifest, facts: ManifestFacts, contract: Contract, policy: Policy, where: str
) -> Refusals:
    if facts.size > policy.limits.manifest_bytes or len(facts.objects) > policy.limits.objects:
        detail = f"{action.manifest}: {facts.size} bytes, {len(facts.objects)} objects"
        yield Refusal(Reason.TOO_LARGE, detail, where)
    if not facts.objects:
        yield Refusal(Reason.MANIFEST, f"{action.manifest}: holds no object", where)
    namespace = action.resource.namespace or contract.target.namespace
    for found in facts.objects:
        if not _declared(found, action.resource, namespace):
            detail = f"{action.manifest} holds {found}, declared was {action.resource}"
            yield Refusal(Reason.OBJECT, detail, where)


def _declared(found: ObjectFacts, resource: Resource, namespace: str) -> bool:
    same_kind = (found.api, found.kind) == (resource.api, resource.kind)
    return same_kind and found.namespace == namespace and resource.name in (None, found.name)


def _scope(contract: Contract, facts: Facts, _policy: Policy) -> Refusals:
    if contract.scope is None:
        return
    shown = facts[contract.scope]
    for index, action in enumerate(contract.actions):
        if isinstance(action, Manifest):
            read = facts[action.manifest]
            if not shown.real or shown.real != read.real:
                detail = f"the scope is {contract.scope}, the action reads {action.manifest}"
                yield Refusal(Reason.SCOPE, detail, f"actions[{index}]")
