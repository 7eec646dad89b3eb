"""Contracts of version 1: the types, the stamp, the hashes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest

from harness.contracts.model import (
    Manifest,
    approved_content,
    content_hash,
    digest,
    dump,
    json_schema,
    parse_contract,
    stamp,
    validate,
)
from harness.contracts.refusal import ContractRefused, Reason
from tests.support.runner import contract_document

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def changed(path: str, value: Any) -> dict[str, Any]:
    """A valid contract with one value replaced; `path` like `actions.0.verb`."""
    document = json.loads(json.dumps(contract_document()))
    *parents, last = path.split(".")
    place: Any = document
    for part in parents:
        place = place[int(part)] if part.isdecimal() else place[part]
    place[last] = value
    return dict(document)


def test_a_dumped_contract_reads_back_equal() -> None:
    contract = validate(contract_document())
    assert parse_contract(dump(contract)) == contract


def test_the_schema_accepts_what_the_types_accept() -> None:
    jsonschema.validate(contract_document(), json_schema())


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("surprise", 1, "surprise"),
        ("id", "../x", "id"),
        ("id", "аpply", "id"),
        ("kind", "destroy", "kind"),
        ("created", "2026-11-22T10:00:00", "created"),
        ("target.contexts", [], "target.contexts"),
        ("target.contexts", ["a b"], "target.contexts.0"),
        ("target.namespace", "Kube", "target.namespace"),
        ("actions.0.verb", "delete", "actions.0"),
        ("actions.0.timeout", 0, "actions.0.apply.timeout"),
        ("actions.0.timeout", "40", "actions.0.apply.timeout"),
        ("actions.0.manifest", "/etc/passwd", "actions.0.apply.manifest"),
        ("actions.0.manifest", "a\x00b", "actions.0.apply.manifest"),
        ("actions.0.resource.name", "Hello", "actions.0.apply.resource.name"),
        ("actions.0.cmd", "kubectl get x", "actions.0.apply.cmd"),
        ("note", 7, "note"),
        ("source", "a\nb", "source"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: Any, where: str) -> None:
    with pytest.raises(ContractRefused) as caught:
        validate(changed(path, value))

    assert {refusal.reason for refusal in caught.value.refusals} == {Reason.INVALID}
    assert where in {refusal.where for refusal in caught.value.refusals}


def test_every_problem_is_told_at_once() -> None:
    document = changed("id", "") | {"kind": "x", "extra": 1}
    with pytest.raises(ContractRefused) as caught:
        validate(document)

    assert [refusal.where for refusal in caught.value.refusals] == ["id", "kind", "extra"]


def test_times_are_utc_whatever_was_written() -> None:
    tokyo = datetime(2026, 11, 22, 18, 30, tzinfo=timezone(timedelta(hours=9)))
    contract = validate(contract_document(created=tokyo.isoformat()))
    assert contract.created == NOW
    assert contract.created.utcoffset() == timedelta(0)


def test_a_stamp_changes_id_and_time_only() -> None:
    template = json.dumps(contract_document()).encode()
    stamped = parse_contract(stamp(template, id="run_1", created=NOW))
    original = validate(contract_document())

    assert (stamped.id, stamped.created) == ("run_1", NOW)
    assert stamped.model_copy(update={"id": original.id, "created": original.created}) == original


@pytest.mark.parametrize("id", ["", "a b", "../x", "x" * 200])
def test_a_stamp_wants_an_identifier(id: str) -> None:
    with pytest.raises(ContractRefused, match="id"):
        stamp(json.dumps(contract_document()).encode(), id=id, created=NOW)


@pytest.mark.parametrize(
    ("path", "value", "same"),
    [
        ("id", "other", True),
        ("note", "other", True),
        ("created", NOW.isoformat(), True),
        ("source", "other", True),
        ("actions.0.manifest", "infra/other.yaml", False),
        ("actions.0.resource.name", "other", False),
        ("target.namespace", "other", False),
        ("target.contexts", ["kind-vpm-mini"], False),
        ("kind", "check", False),
    ],
)
def test_the_content_hash_is_of_the_work(path: str, value: Any, same: bool) -> None:
    manifests = [digest(b"x")]
    original = content_hash(validate(contract_document()), manifests)
    assert (content_hash(validate(changed(path, value)), manifests) == original) is same


def test_the_content_hash_covers_the_manifests() -> None:
    contract = validate(contract_document())
    assert content_hash(contract, [digest(b"x")]) != content_hash(contract, [digest(b"y")])


def test_an_approval_is_over_the_manifest_or_over_all_in_order() -> None:
    one, two = digest(b"1"), digest(b"2")
    assert approved_content([one]) == one
    assert approved_content([one, two]) != approved_content([two, one])


def test_manifest_actions_are_found() -> None:
    contract = validate(contract_document())
    assert [type(action) for action in contract.manifests] == [Manifest]
    assert contract.applies
