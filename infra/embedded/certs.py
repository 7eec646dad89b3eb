"""Certificates: one authority per cluster, and the certificates that it issues."""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPublicKeyTypes,
    CertificatePublicKeyTypes,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=365)
_BACKDATED = timedelta(minutes=5)  # clocks of clients may be a little behind


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def save(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write `name.crt` and `name.key` (mode 0600); returns both paths."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
        write_private(certificate, self.certificate)
        write_private(key, self.key)
        return certificate, key


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority."""

    pair: KeyPair

    @classmethod
    def open(cls, directory: Path, name: str) -> "Authority":
        """The authority kept in a directory as ca.crt and ca.key; made on first use."""
        certificate, key = directory / "ca.crt", directory / "ca.key"
        if certificate.exists() and key.exists():
            return cls(KeyPair(certificate.read_bytes(), key.read_bytes()))
        authority = cls(_self_signed(f"{name} cluster CA"))
        authority.pair.save(directory, "ca")
        return authority

    @classmethod
    def stranger(cls) -> "Authority":
        """An authority that nobody knows, and that is kept nowhere."""
        return cls(_self_signed("an unknown authority"))

    def issue(
        self,
        name: str,
        hosts: Sequence[str],
        *,
        starts: datetime | None = None,
        lifetime: timedelta = _LIFETIME,
    ) -> KeyPair:
        """A server certificate for DNS names and IP addresses; `starts` is UTC, default now."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(self.pair.certificate)
        begin = starts or datetime.now(UTC) - _BACKDATED
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_common_name(name))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + lifetime)
            .add_extension(x509.SubjectAlternativeName([_san(h) for h in hosts]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_authority_key(issuer.public_key()), critical=False)
            .sign(_private_key(self.pair.key), hashes.SHA256())
        )
        return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that nobody ever sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _self_signed(name: str) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.now(UTC) - _BACKDATED
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .issuer_name(_common_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + 10 * _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def _authority_key(key: CertificatePublicKeyTypes) -> x509.AuthorityKeyIdentifier:
    """Clients that check strictly, as Python does from 3.13 on, refuse certificates without it."""
    issuer = cast(CertificateIssuerPublicKeyTypes, key)
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _san(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the cluster's CA key is not an elliptic curve key")
    return key
