"""The forms a contract file can have: version 1 and the four historical ones.

A historical form is converted to version 1 or refused with a named reason; nothing that it
claims (approved, approver) is believed: an approval is looked up by content instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from harness.contracts.argv import action_of
from harness.contracts.kinds import KSERVICE
from harness.contracts.model import SCHEMA, Contract, validate, validated
from harness.contracts.refusal import ContractRefused, Reason, Refusal, refuse
from harness.contracts.strict_json import Json, parse_object

_TIMESTAMP = re.compile(r"(\d{8}T\d{6}Z)")
_NOT_IDENTIFIER = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a historical form does not say: the file's stem, when it came, and where it may run."""

    name: str
    received: datetime
    contexts: tuple[str, ...]
    namespace: str = "default"


Object = Mapping[str, Json]
Form = Callable[[Object, Defaults], dict[str, Json]]


def read_contract(data: bytes, *, defaults: Defaults) -> Contract:
    """The contract in a file of any known form.

    Errors:
        ContractRefused: with every reason that was found.
    """
    value = parse_object(data)
    if "schema" in value:
        return validated(data)
    form = _form_of(value)
    unknown = value.keys() - _KEYS[form]
    if unknown:
        raise refuse(Reason.INVALID, f"unknown key {min(unknown)[:80]!r} in the form {form}")
    return validate({**_common(value, defaults, form), **_CONVERT[form](value, defaults)})


def safe_name(text: str) -> str:
    """`text` as an identifier: other characters become `-`, at most 100 of them."""
    return _NOT_IDENTIFIER.sub("-", text).strip("-._")[:100] or "unnamed"


def _form_of(value: Object) -> str:
    if value.get("task") == "noop":
        return "noop"
    if value.get("kind") == "apply":
        return "apply"
    if value.get("kind") == "ask":
        return "canary" if "actions" in value else "ask"
    raise refuse(
        Reason.UNKNOWN_FORM,
        f"neither schema {SCHEMA} nor one of the historical forms ask, canary, apply, noop",
    )


def _common(value: Object, defaults: Defaults, form: str) -> dict[str, Json]:
    stamp = _TIMESTAMP.search(defaults.name)
    created = defaults.received
    if stamp:
        try:
            created = datetime.strptime(stamp[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise refuse(Reason.INVALID, f"{stamp[1]} in the file's name is no time") from error
    common: dict[str, Json] = {
        "schema": SCHEMA,
        "id": value.get("id", safe_name(defaults.name)),
        "created": created.isoformat(),
        "source": value.get("source", "historical"),
        "target": {"contexts": list(defaults.contexts), "namespace": defaults.namespace},
        "converted_from": form,
    }
    if "note" in value:
        common["note"] = value["note"]
    return common


def _ask(_value: Object, _defaults: Defaults) -> dict[str, Json]:
    return {"kind": "ask"}


def _canary(value: Object, defaults: Defaults) -> dict[str, Json]:
    actions: list[Json] = []
    refusals: list[Refusal] = []
    for index, item in enumerate(_list(value["actions"])):
        where = f"actions[{index}]"
        command = item.get("cmd") if isinstance(item, dict) and len(item) == 1 else None
        if not isinstance(command, str):
            refusals.append(Refusal(Reason.INVALID, "an object with only cmd is wanted", where))
            continue
        try:
            action = action_of(command)
        except ContractRefused as error:
            refusals += [Refusal(found.reason, found.detail, where) for found in error.refusals]
        else:
            actions.append(action.model_dump(mode="json", exclude_none=True))
    if refusals:
        raise ContractRefused(*refusals)
    return {"kind": "check", "actions": actions, "target": _where(actions, defaults)}


def _where(actions: list[Json], defaults: Defaults) -> Json:
    resources = [action["resource"] for action in actions if isinstance(action, dict)]
    named = [
        resource["namespace"]
        for resource in resources
        if isinstance(resource, dict) and "namespace" in resource
    ]
    namespace = named[0] if named else defaults.namespace
    return {"contexts": list(defaults.contexts), "namespace": namespace}


def _apply(value: Object, _defaults: Defaults) -> dict[str, Json]:
    if value.get("approved") is not True:
        raise refuse(Reason.APPROVAL_MISSING, "approved is not true", "approved")
    actions = [_apply_action(item, index) for index, item in enumerate(_list(value["actions"]))]
    converted: dict[str, Json] = {"kind": "apply", "actions": list(actions)}
    if "scope" in value:
        converted["scope"] = value["scope"]
    if "pr_number" in value:
        converted["origin"] = {"number": value["pr_number"]}
    return converted


def _apply_action(item: Json, index: int) -> Json:
    where = f"actions[{index}]"
    if not isinstance(item, dict) or item.keys() != {"type", "path", "resource"}:
        raise refuse(Reason.INVALID, "type, path and resource are wanted", where)
    if item["type"] != "k8s-apply":
        raise refuse(Reason.VERB, f"{item['type']!r} is not k8s-apply", where)
    resource = item["resource"]
    if not isinstance(resource, dict) or not resource.keys() <= {"kind", "name", "namespace"}:
        raise refuse(Reason.INVALID, "kind, name and namespace are wanted", f"{where}.resource")
    # `Service` with a path below the overlay has always meant the Knative Service.
    return {
        "verb": "apply",
        "manifest": item["path"],
        "resource": {**resource, "api": KSERVICE.api},
    }


def _noop(value: Object, _defaults: Defaults) -> dict[str, Json]:
    if value.get("actions", []) != []:
        raise refuse(Reason.INVALID, "a noop with actions", "actions")
    return {"kind": "noop", "origin": {"repo": value.get("repo", "")}}


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise refuse(Reason.INVALID, "a list is wanted", "actions")
    return value


_CONVERT: Mapping[str, Form] = MappingProxyType(
    {"ask": _ask, "canary": _canary, "apply": _apply, "noop": _noop}
)
_KEYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ask": frozenset({"id", "kind", "source", "note"}),
        "canary": frozenset({"id", "kind", "source", "note", "actions"}),
        "apply": frozenset(
            {
                "id", "kind", "source", "note", "approved", "approver", "scope", "pr_number",
                "actions",
            }
        ),
        "noop": frozenset(
            {"id", "task", "repo", "branch_base", "actions", "evidence_out", "source", "note"}
        ),
    }
)  # fmt: skip
