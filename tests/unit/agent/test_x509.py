"""Certificates, against those that a real library makes."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from probes.agent.x509 import CertificateError, read_certificate

KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
moments = st.datetimes(
    datetime.datetime(1950, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59)
).map(lambda moment: moment.replace(microsecond=0, tzinfo=datetime.UTC))


def make(
    names: list[x509.NameAttribute[str]],
    alternatives: list[x509.GeneralName],
    start: datetime.datetime = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    end: datetime.datetime = datetime.datetime(2051, 1, 1, tzinfo=datetime.UTC),
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(ISSUER)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def test_what_a_report_needs() -> None:
    der = make(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "東京"),
            x509.NameAttribute(NameOID.COMMON_NAME, "hello.test"),
        ],
        [
            x509.DNSName("hello.test"),
            x509.DNSName("*.hello.test"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
            x509.UniformResourceIdentifier("spiffe://a/b"),
        ],
    )
    found = read_certificate(der)
    assert found.subject == "countryName=JP, organizationName=東京, commonName=hello.test"
    assert found.issuer == "commonName=root"
    assert found.sans == (
        "DNS:hello.test",
        "DNS:*.hello.test",
        "IP Address:127.0.0.1",
        "IP Address:::1",
        "URI:spiffe://a/b",
    )
    assert found.not_before.isoformat() == "2026-01-01T00:00:00+00:00"
    assert found.not_after.isoformat() == "2051-01-01T00:00:00+00:00"


def test_without_alternatives() -> None:
    assert read_certificate(make([x509.NameAttribute(NameOID.COMMON_NAME, "a")], [])).sans == ()


@given(moments, moments)
def test_times_before_and_after_2050(one: datetime.datetime, other: datetime.datetime) -> None:
    start, end = min(one, other), max(one, other)
    found = read_certificate(make([], [], start, end))
    assert (found.not_before, found.not_after) == (start, end)


@given(st.binary(max_size=300))
def test_other_bytes_are_no_certificate(data: bytes) -> None:
    with pytest.raises(CertificateError):
        read_certificate(data)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_certificate_does_no_harm(at: int, flip: int) -> None:
    der = bytearray(make([x509.NameAttribute(NameOID.COMMON_NAME, "a")], [x509.DNSName("a")]))
    der[at % len(der)] ^= flip
    try:
        found = read_certificate(bytes(der))
    except CertificateError:
        return
    assert isinstance(found.subject, str)
