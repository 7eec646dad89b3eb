"""Documents: their schema, their bytes, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.evidence.canonical import MAX_DOCUMENT_BYTES, NotJson, canonical, parse_object
from harness.evidence.ledger import (
    DocumentEntry,
    LedgerEntry,
    PreviousEntry,
    decode_entry,
    digest_of,
    document_heads,
    encode_entry,
    heads,
)
from harness.evidence.model import SCHEMA, Malformed, decode, encode
from harness.evidence.schema import generated, shipped
from tests.support.golden import at_path, leaves, with_value
from tests.support.stories import Story, documents

DOCUMENTS = documents(Story(devbox=3))
KINDS = sorted(DOCUMENTS)
VALIDATOR = jsonschema.Draft202012Validator(json.loads(shipped()))


def test_the_shipped_schema_is_that_of_the_types() -> None:
    assert shipped() == generated(), "run: python -m harness.evidence.schema"


def test_the_shipped_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(shipped()))


@pytest.mark.parametrize("kind", KINDS)
def test_documents_fit_the_shipped_schema(kind: str) -> None:
    VALIDATOR.validate(json.loads(encode(DOCUMENTS[kind])))


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_survives_its_bytes(kind: str) -> None:
    assert decode(encode(DOCUMENTS[kind])) == DOCUMENTS[kind]


def test_every_required_fact_has_its_field() -> None:
    document = json.loads(encode(DOCUMENTS["ready"]))
    assert set(document) >= {
        "claim", "captured_at", "window", "subject", "cluster", "vantages", "thresholds",
        "not_checked", "tool", "artefacts", "previous", "schema",
    }  # fmt: skip
    assert set(document["subject"]) >= {
        "kind", "namespace", "name", "uid", "generation", "observed_generation",
        "resource_version", "revision", "image", "image_digest",
    }  # fmt: skip
    assert document["cluster"]["emulator"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_another_type_is_refused(kind: str) -> None:
    value = json.loads(encode(DOCUMENTS[kind]))
    for path in leaves(value):
        if at_path(value, path) is not None:
            with pytest.raises(Malformed):
                decode(json.dumps(with_value(value, path, {"no": "leaf"})).encode())


@pytest.mark.parametrize(
    ("content", "about"),
    [
        (b"", "Expecting value"),
        (b"[]", "object"),
        (b"\xff\xfe", "utf-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": NaN}', "NaN"),
        (b"[" * 100_000, "deep"),
        (b'{"schema": "vpm.evidence/v2"}', "vpm.evidence/v2"),
        (b"{}", "None"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), "at most"),
        (f'{{"schema": "{SCHEMA}"}}'.encode(), "required"),
    ],
)
def test_bad_input_is_refused_with_a_reason(content: bytes, about: str) -> None:
    with pytest.raises(Malformed, match=about):
        decode(content)


def test_an_unknown_field_is_refused_by_name() -> None:
    value = json.loads(encode(DOCUMENTS["sli"]))
    value["vantages"][0]["probe"]["mood"] = "good"
    with pytest.raises(Malformed) as refused:
        decode(json.dumps(value).encode())
    assert refused.value.field == "vantages.0.probe.mood"


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    for read in (decode, decode_entry):
        with pytest.raises(Malformed):
            read(content)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=40)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_canonical_bytes_do_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(value) == canonical(turned)
    assert parse_object(canonical(value)) == value


def test_nan_has_no_canonical_bytes() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_not_json_is_its_own_error() -> None:
    with pytest.raises(NotJson):
        parse_object(b"nothing")


def entry(run_id: str, *previous: str, documents: tuple[DocumentEntry, ...] = ()) -> LedgerEntry:
    named = tuple(PreviousEntry("earlier", digest) for digest in previous)
    return LedgerEntry("vpm.ledger/v1", run_id, "2026-11-20T10:00:00Z", "uid", named, documents, ())


def test_two_branches_are_both_heads_and_merge_into_one() -> None:
    known = {"a": entry("first"), "b": entry("left", "a"), "c": entry("right", "a")}
    assert [head.sha256 for head in heads(known)] == ["b", "c"]
    known["d"] = entry("merge", "b", "c")
    assert [head.sha256 for head in heads(known)] == ["d"]


def test_heads_of_documents_are_those_of_their_claim() -> None:
    one = DocumentEntry("ready hello", "p", "11", "PASS")
    two = DocumentEntry("ready hello", "p", "22", "PASS", previous=("11",))
    fork = DocumentEntry("ready hello", "p", "33", "FAIL", previous=("11",))
    other = DocumentEntry("sli hello", "q", "44", "PASS")
    entries = [entry(each.sha256, documents=(each,)) for each in (one, two, fork, other)]
    assert document_heads(entries) == {"ready hello": ("22", "33"), "sli hello": ("44",)}


def test_the_digest_covers_every_field_but_itself() -> None:
    content = encode_entry(entry("run", "a", documents=(DocumentEntry("c", "p", "h", "PASS"),)))
    value = json.loads(content)
    assert digest_of(value) == value["digest"] == decode_entry(content).digest
    for path in leaves(value):
        if path != ("digest",):
            assert digest_of(with_value(value, path, "changed")) != value["digest"]
