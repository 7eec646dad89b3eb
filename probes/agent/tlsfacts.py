"""TLS settings of a target, and what a handshake tells, whether it succeeded or not."""

from __future__ import annotations

import hashlib
import ssl
from typing import Any

from .clock import NS, utc_text
from .plan import Tls
from .sample import TlsFacts
from .x509 import CertificateError, read_certificate

# SSL_OP_IGNORE_UNEXPECTED_EOF, which the ssl module names only since 3.10.
_IGNORE_UNEXPECTED_EOF = 1 << 7


def make_context(settings: Tls) -> ssl.SSLContext:
    """The context for `settings`; OSError or ssl.SSLError when its CA cannot be loaded."""
    if settings.ca_file or settings.ca_pem:
        context = ssl.create_default_context(cafile=settings.ca_file, cadata=settings.ca_pem)
    else:
        context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    # Some versions of Python set it: an end without an alert, as an attacker could make it, would
    # then pass for the end of the body.
    context.options &= ~_IGNORE_UNEXPECTED_EOF
    # A second handshake would be counted into the phase that it interrupts.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def facts_of(session: ssl.SSLObject, server_name: str, verified: bool) -> TlsFacts:
    """What `session` agreed on so far, and the certificate that the server has shown."""
    cipher = session.cipher()
    certificate: dict[str, Any] = {}
    der = _certificate_of(session)
    if der is not None:
        certificate = _described(der)
    return TlsFacts(
        server_name=server_name,
        verified=verified,
        version=session.version() or "",
        cipher=cipher[0] if cipher else "",
        **certificate,
    )


def _certificate_of(session: ssl.SSLObject) -> bytes | None:
    """The server's own certificate in DER form, even from a handshake that failed."""
    try:
        return session.getpeercert(binary_form=True)
    except ValueError:  # The handshake has not been completed.
        chain = _unverified_chain(session)
        return chain[0] if chain else None


def _unverified_chain(session: ssl.SSLObject) -> list[bytes]:
    """What the server has sent so far; the public way to ask exists since Python 3.13."""
    public = getattr(session, "get_unverified_chain", None)
    if public is not None:
        return list(public())
    private = getattr(getattr(session, "_sslobj", None), "get_unverified_chain", None)
    found = private() if private is not None else None
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in found or ()]


def _described(der: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(der).hexdigest()
    try:
        found = read_certificate(der)
    except CertificateError:
        return {"sha256": digest}
    return {
        "subject": found.subject,
        "issuer": found.issuer,
        "sans": found.sans,
        "not_before": utc_text(int(found.not_before.timestamp()) * NS),
        "not_after": utc_text(int(found.not_after.timestamp()) * NS),
        "sha256": digest,
    }
