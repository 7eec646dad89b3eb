"""The few fields of a certificate that a report needs, read from its DER form (RFC 5280).

The ssl module decodes only certificates that it has verified, and a report is wanted most for
those that it has not. Nothing here decides anything: verification is OpenSSL's.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Iterator

_SEQUENCE, _UTC_TIME, _OID, _CONTEXT_3 = 0x30, 0x17, 0x06, 0xA3
_SUBJECT_ALTERNATIVE_NAME = bytes.fromhex("551d11")
_ATTRIBUTES = {
    bytes.fromhex("550403"): "commonName",
    bytes.fromhex("550406"): "countryName",
    bytes.fromhex("550407"): "localityName",
    bytes.fromhex("550408"): "stateOrProvinceName",
    bytes.fromhex("55040a"): "organizationName",
    bytes.fromhex("55040b"): "organizationalUnitName",
}
# String types that are not UTF-8: T61String is nearly always Latin-1, BMPString is UTF-16.
_ENCODINGS = {0x14: "latin-1", 0x1E: "utf-16-be"}
_DNS, _EMAIL, _URI, _ADDRESS = 0x82, 0x81, 0x86, 0x87
_NAME_KINDS = {_DNS: "DNS", _EMAIL: "email", _URI: "URI"}

_Element = tuple[int, bytes]


class CertificateError(ValueError):
    """Bytes that are no certificate."""


@dataclass(frozen=True)
class Certificate:
    """Names as ``commonName=a, organizationName=b``, alternatives as ``DNS:a``, times as UTC."""

    subject: str
    issuer: str
    sans: tuple[str, ...]
    not_before: datetime
    not_after: datetime


def read_certificate(der: bytes) -> Certificate:
    """The certificate in `der`; CertificateError when it is none."""
    try:
        ((_, outer),) = _elements(der)
        fields = list(_elements(next(_elements(outer))[1]))
        # The version is the one optional field, tagged, at the front.
        first = 1 if fields[0][0] == 0xA0 else 0
        issuer, validity, subject = (fields[first + i][1] for i in (2, 3, 4))
        not_before, not_after = (_time(*element) for element in _elements(validity))
        return Certificate(
            subject=_name(subject),
            issuer=_name(issuer),
            sans=tuple(_alternatives(fields[first + 6 :])),
            not_before=not_before,
            not_after=not_after,
        )
    except (IndexError, StopIteration, ValueError, OverflowError) as error:
        raise CertificateError(f"not a certificate: {error}") from error


def _elements(data: bytes) -> Iterator[_Element]:
    """The elements in `data`, one after the other: tag and content."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4:
                raise ValueError("bad length")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("element ends after its container")
        yield tag, data[at : at + length]
        at += length


def _name(data: bytes) -> str:
    parts = []
    for _, relative in _elements(data):
        for _, attribute in _elements(relative):
            (_, oid), (tag, value) = _elements(attribute)
            text = value.decode(_ENCODINGS.get(tag, "utf-8"), "replace")
            parts.append(f"{_ATTRIBUTES.get(oid, oid.hex())}={text}")
    return ", ".join(parts)


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        # Two digits mean 1950 to 2049 (RFC 5280, 4.1.2.5.1).
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)


def _alternatives(fields: list[_Element]) -> Iterator[str]:
    for tag, content in fields:
        if tag != _CONTEXT_3:
            continue
        for _, extension in _elements(next(_elements(content))[1]):
            parts = list(_elements(extension))
            if parts[0] == (_OID, _SUBJECT_ALTERNATIVE_NAME):
                for kind, value in _elements(next(_elements(parts[-1][1]))[1]):
                    yield _alternative(kind, value)


def _alternative(kind: int, value: bytes) -> str:
    if kind == _ADDRESS:
        return f"IP Address:{ipaddress.ip_address(value)}"
    return f"{_NAME_KINDS.get(kind, 'other')}:{value.decode('ascii', 'replace')}"
