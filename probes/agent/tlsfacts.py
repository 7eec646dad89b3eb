"""TLS settings of a target, and what a finished handshake tells."""

from __future__ import annotations

import hashlib
import ssl
from typing import Any

from .clock import NS, utc_text
from .plan import Tls
from .sample import TlsFacts


def make_context(settings: Tls) -> ssl.SSLContext:
    """The context for `settings`; OSError or ssl.SSLError when its CA cannot be loaded."""
    if settings.ca_file or settings.ca_pem:
        context = ssl.create_default_context(cafile=settings.ca_file, cadata=settings.ca_pem)
    else:
        context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def facts_of(session: ssl.SSLObject, server_name: str, verified: bool) -> TlsFacts:
    """What the handshake of `session` agreed on, and the server's certificate."""
    cipher = session.cipher()
    der = session.getpeercert(binary_form=True)
    # Empty when verification is off: the ssl module does not decode what it did not verify.
    certificate: dict[str, Any] = session.getpeercert() or {}
    return TlsFacts(
        server_name=server_name,
        verified=verified,
        version=session.version() or "",
        cipher=cipher[0] if cipher else "",
        subject=_name(certificate.get("subject", ())),
        issuer=_name(certificate.get("issuer", ())),
        sans=tuple(f"{kind}:{value}" for kind, value in certificate.get("subjectAltName", ())),
        not_before=_time(certificate.get("notBefore")),
        not_after=_time(certificate.get("notAfter")),
        sha256=hashlib.sha256(der).hexdigest() if der else None,
    )


def _name(parts: Any) -> str | None:
    return ", ".join(f"{key}={value}" for part in parts for key, value in part) or None


def _time(text: str | None) -> str | None:
    return utc_text(int(ssl.cert_time_to_seconds(text)) * NS) if text else None
