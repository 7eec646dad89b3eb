"""JSON is read strictly: what two parsers could read differently is refused."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.refusal import ContractRefused, Reason
from harness.contracts.strict_json import MAX_DEPTH, parse_object, pretty, text_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("data", "reason", "said"),
    [
        (b"", Reason.NOT_JSON, "Expecting value"),
        (b"[]", Reason.NOT_JSON, "found list"),
        (b"\xff{}", Reason.NOT_JSON, "utf-8"),
        (b'{"a": 1, "a": 2}', Reason.NOT_JSON, "'a' appears twice"),
        (b'{"x": {"a": 1, "a": 1}}', Reason.NOT_JSON, "appears twice"),
        (b'{"a": NaN}', Reason.NOT_JSON, "NaN is not JSON"),
        (b'{"a": -Infinity}', Reason.NOT_JSON, "-Infinity is not JSON"),
        (b'{"a": 1e999}', Reason.NOT_JSON, "out of range"),
        (b'{"a": "\\ud800"}', Reason.NOT_JSON, "surrogates not allowed"),
        (b'{"a": ' + b"9" * 5000 + b"}", Reason.NOT_JSON, "limit"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, Reason.NOT_JSON, "nested deeper than"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, Reason.NOT_JSON, "nested deeper than"),
        (b'{"a": "' + b"x" * 70_000 + b'"}', Reason.TOO_LARGE, "at most 65536"),
        (b"{} {}", Reason.NOT_JSON, "Extra data"),
    ],
)
def test_refused_with_a_reason(data: bytes, reason: Reason, said: str) -> None:
    with pytest.raises(ContractRefused) as caught:
        parse_object(data)

    assert caught.value.refusals[0].reason is reason
    assert said in str(caught.value)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    depth_of_document = json.dumps(value).count("[") + json.dumps(value).count("{")
    if depth_of_document < MAX_DEPTH:
        assert parse_object(text_of(value)) == value
        assert parse_object(pretty(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(ContractRefused):
        assert isinstance(parse_object(data), dict)


def test_key_order_does_not_change_the_canonical_bytes() -> None:
    assert text_of({"b": 1, "a": "é"}) == text_of({"a": "é", "b": 1}) == '{"a":"é","b":1}'.encode()
