"""DNS messages: what is written can be read, and no bytes do harm."""

from __future__ import annotations

import string
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.agent.dnswire import (
    TYPES,
    Record,
    WireError,
    decode,
    decode_name,
    encode_name,
    encode_query,
)

labels = st.text(string.ascii_lowercase + string.digits + "-_", min_size=1, max_size=63)
names = st.lists(labels, min_size=1, max_size=3).map(".".join)


@given(names)
def test_a_name_comes_back(name: str) -> None:
    wire = encode_name(name)
    assert decode_name(b"xx" + wire, 2) == (name, 2 + len(wire))


@given(st.integers(0, 65535), names, st.sampled_from(sorted(TYPES)))
def test_a_question_comes_back(number: int, name: str, kind: str) -> None:
    message = decode(encode_query(number, name, kind))
    assert (message.id, message.question) == (number, (name, kind))
    assert not message.is_response


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    try:
        decode(data)
    except WireError:
        return
    assert len(data) >= 12


@given(st.binary(max_size=120))
def test_any_answer_section_is_read_or_a_wire_error(data: bytes) -> None:
    header = struct.pack("!6H", 1, 0x8180, 0, 3, 0, 0)
    try:
        message = decode(header + data)
    except WireError:
        return
    assert len(message.answers) == 3


def test_compressed_names_are_followed() -> None:
    header = struct.pack("!6H", 7, 0x8180, 1, 2, 0, 0)
    question = encode_name("www.example.test") + struct.pack("!HH", 1, 1)
    alias = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 60, 4) + b"\x01b\xc0\x10"
    address = b"\xc0\x2e" + struct.pack("!HHIH", 1, 1, 5, 4) + bytes((10, 0, 0, 1))
    message = decode(header + question + alias + address)
    assert message.answers == (
        Record("www.example.test", "CNAME", 60, "b.example.test"),
        Record("b.example.test", "A", 5, "10.0.0.1"),
    )


@pytest.mark.parametrize(
    "data",
    [b"\xc0\x00", b"\xc0\x05\0\0\0\0", b"\x40a\0", b"\x05ab", b"\x3f" + b"a" * 63 + b"\xc0\x00"],
    ids=["self", "forward", "bad-length", "too-short", "loop"],
)
def test_names_that_lead_nowhere(data: bytes) -> None:
    with pytest.raises((WireError, IndexError)):
        decode_name(data, 0)


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a..b", ".".join(["a" * 60] * 5), "\ud800"])
def test_names_that_cannot_be_asked(name: str) -> None:
    with pytest.raises(WireError, match=r"name|label"):
        encode_name(name)


def test_a_ttl_with_its_top_bit_set_is_zero() -> None:
    record = b"\0" + struct.pack("!HHIH", 1, 1, 1 << 31, 4) + bytes(4)
    message = decode(struct.pack("!6H", 7, 0x8180, 0, 1, 0, 0) + record)
    assert message.answers[0].ttl == 0
