"""DNS messages (RFC 1035, EDNS of RFC 6891): questions out, answers in."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "SRV": 33}  # fmt: skip
_TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}

_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_QR, _TC, _RD = 0x8000, 0x0200, 0x0100
_UDP_SIZE = 1232


class WireError(ValueError):
    """Bytes that are no DNS message, or a name that no message can hold."""


@dataclass(frozen=True)
class Record:
    """One resource record; `type` is its name (``A``) or ``TYPE<number>``, `data` is text."""

    name: str
    type: str
    ttl: int
    data: str


@dataclass(frozen=True)
class Message:
    """The parts of an answer that matter to a prober."""

    id: int
    is_response: bool
    truncated: bool
    rcode: int
    question: tuple[str, str] | None
    answers: tuple[Record, ...]


def encode_query(number: int, name: str, record: str) -> bytes:
    """A recursive question number `number` for the `record` (``A``, ``TXT``, …) of `name`."""
    question = encode_name(name) + struct.pack("!HH", TYPES[record], 1)
    edns = b"\0" + struct.pack("!HHIH", 41, _UDP_SIZE, 0, 0)
    return _HEADER.pack(number, _RD, 1, 0, 0, 1) + question + edns


def encode_name(name: str) -> bytes:
    """`name` as length-prefixed labels; WireError when a label or the whole is too long."""
    out = bytearray()
    for label in name.rstrip(".").split(".") if name.rstrip(".") else ():
        try:
            raw = label.encode("ascii") if label.isascii() else label.encode("idna")
        except UnicodeError as error:
            raise WireError(f"label {label[:20]!r} of {name!r}: {error}") from error
        if not 1 <= len(raw) <= 63:
            raise WireError(f"label {label[:20]!r} of {name!r} is not 1 to 63 bytes long")
        out += bytes((len(raw),)) + raw
    if len(out) > 254:
        raise WireError(f"name is longer than 253 characters: {name[:40]!r}…")
    return bytes(out) + b"\0"


def decode(data: bytes) -> Message:
    """The message in `data`; WireError when it is none."""
    try:
        number, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
        offset = _HEADER.size
        question = None
        for _ in range(questions):
            name, offset = decode_name(data, offset)
            kind, _class = struct.unpack_from("!HH", data, offset)
            offset += 4
            question = question or (name, _type_name(kind))
        records = []
        for _ in range(answers):
            record, offset = _decode_record(data, offset)
            records.append(record)
    except (struct.error, IndexError) as error:
        raise WireError("message ends too early") from error
    return Message(
        id=number,
        is_response=bool(flags & _QR),
        truncated=bool(flags & _TC),
        rcode=flags & 15,
        question=question,
        answers=tuple(records),
    )


def decode_name(data: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset`, in lower case, and the offset after it."""
    labels: list[str] = []
    after = -1
    size = 0
    while True:
        length = data[offset]
        if length >= 192:
            target = (length & 63) << 8 | data[offset + 1]
            after = offset + 2 if after < 0 else after
            # A pointer may only point backwards, so that no loop is possible.
            if target >= offset:
                raise WireError("compression pointer does not point backwards")
            offset = target
            continue
        if length > 63:
            raise WireError("bad label length")
        offset += 1
        if not length:
            return ".".join(labels), offset if after < 0 else after
        if offset + length > len(data):
            raise WireError("label ends after the message")
        size += length + 1
        if size > 254:
            raise WireError("name is too long")
        labels.append(data[offset : offset + length].decode("ascii", "backslashreplace").lower())
        offset += length


def _decode_record(data: bytes, offset: int) -> tuple[Record, int]:
    name, offset = decode_name(data, offset)
    kind, _class, ttl, length = _RECORD.unpack_from(data, offset)
    offset += _RECORD.size
    end = offset + length
    if end > len(data):
        raise WireError("record ends after the message")
    text = _data_text(_type_name(kind), data, offset, end)
    # A TTL with its top bit set means zero (RFC 2181, section 8).
    return Record(name, _type_name(kind), ttl if ttl < 1 << 31 else 0, text), end


def _data_text(kind: str, data: bytes, offset: int, end: int) -> str:
    raw = data[offset:end]
    if kind in ("A", "AAAA"):
        if len(raw) != (4 if kind == "A" else 16):
            raise WireError(f"{kind} record of {len(raw)} bytes")
        return str(ipaddress.ip_address(raw))
    if kind in ("CNAME", "NS", "PTR"):
        return decode_name(data, offset)[0]
    if kind == "MX":
        return f"{struct.unpack_from('!H', raw)[0]} {decode_name(data, offset + 2)[0]}"
    if kind == "SRV":
        numbers = " ".join(map(str, struct.unpack_from("!HHH", raw)))
        return f"{numbers} {decode_name(data, offset + 6)[0]}"
    if kind == "TXT":
        return _text_strings(raw)
    return raw.hex()


def _text_strings(raw: bytes) -> str:
    parts = []
    while raw:
        length = raw[0]
        if length + 1 > len(raw):
            raise WireError("TXT string ends after its record")
        parts.append(raw[1 : 1 + length].decode("utf-8", "backslashreplace"))
        raw = raw[1 + length :]
    return "".join(parts)


def _type_name(number: int) -> str:
    return _TYPE_NAMES.get(number, f"TYPE{number}")
