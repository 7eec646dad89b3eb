"""The closed list of outcomes, the hop that each one belongs to, and how raw errors map to them."""

from __future__ import annotations

import errno
import ssl
from enum import Enum

PHASES = ("resolve", "connect", "tls", "send", "wait", "transfer")


class Outcome(str, Enum):
    """What became of one attempt; a new member is a change of the schema version."""

    DNS_NOT_FOUND = "dns_not_found"
    DNS_TIMEOUT = "dns_timeout"
    DNS_ERROR = "dns_error"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_UNREACHABLE = "connect_unreachable"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_EXPIRED = "tls_expired"
    TLS_NOT_YET_VALID = "tls_not_yet_valid"
    TLS_NAME_MISMATCH = "tls_name_mismatch"
    TLS_TIMEOUT = "tls_timeout"
    TLS_ERROR = "tls_error"
    SEND_RESET = "send_reset"
    SEND_TIMEOUT = "send_timeout"
    WAIT_TIMEOUT = "wait_timeout"
    RESET = "reset"
    CLOSED_WITHOUT_RESPONSE = "closed_without_response"
    TRANSFER_TIMEOUT = "transfer_timeout"
    TRUNCATED = "truncated"
    MALFORMED_RESPONSE = "malformed_response"
    TOO_LARGE = "too_large"
    STATUS_MISMATCH = "status_mismatch"
    BODY_MISMATCH = "body_mismatch"
    OK = "ok"
    PROBER_ERROR = "prober_error"


HOPS: dict[str, tuple[Outcome, ...]] = {
    "resolve": (Outcome.DNS_NOT_FOUND, Outcome.DNS_TIMEOUT, Outcome.DNS_ERROR),
    "connect": (Outcome.CONNECT_REFUSED, Outcome.CONNECT_TIMEOUT, Outcome.CONNECT_UNREACHABLE),
    "tls": (
        Outcome.TLS_UNTRUSTED,
        Outcome.TLS_EXPIRED,
        Outcome.TLS_NOT_YET_VALID,
        Outcome.TLS_NAME_MISMATCH,
        Outcome.TLS_TIMEOUT,
        Outcome.TLS_ERROR,
    ),
    "send": (Outcome.SEND_RESET, Outcome.SEND_TIMEOUT),
    "wait": (Outcome.WAIT_TIMEOUT, Outcome.RESET, Outcome.CLOSED_WITHOUT_RESPONSE),
    "transfer": (
        Outcome.TRANSFER_TIMEOUT,
        Outcome.TRUNCATED,
        Outcome.MALFORMED_RESPONSE,
        Outcome.TOO_LARGE,
    ),
    "status": (Outcome.STATUS_MISMATCH,),
    "body": (Outcome.BODY_MISMATCH,),
    "none": (Outcome.OK,),
    "prober": (Outcome.PROBER_ERROR,),
}

HOP_OF: dict[Outcome, str] = {
    outcome: hop for hop, outcomes in HOPS.items() for outcome in outcomes
}

TIMEOUT_OF: dict[str, Outcome] = {
    "resolve": Outcome.DNS_TIMEOUT,
    "connect": Outcome.CONNECT_TIMEOUT,
    "tls": Outcome.TLS_TIMEOUT,
    "send": Outcome.SEND_TIMEOUT,
    "wait": Outcome.WAIT_TIMEOUT,
    "transfer": Outcome.TRANSFER_TIMEOUT,
}
"""What a deadline that passes in a phase is called."""

BROKEN_IN: dict[str, Outcome] = {
    "resolve": Outcome.DNS_ERROR,
    "connect": Outcome.CONNECT_UNREACHABLE,
    "tls": Outcome.TLS_ERROR,
    "send": Outcome.SEND_RESET,
    "wait": Outcome.RESET,
    "transfer": Outcome.TRUNCATED,
}
"""What a connection that breaks in a phase is called, when its errno says nothing more exact."""

_CONNECT_ERRNO = {
    errno.ECONNREFUSED: Outcome.CONNECT_REFUSED,
    errno.ETIMEDOUT: Outcome.CONNECT_TIMEOUT,
}

# The prober itself ran out of something: never counted for or against the target.
_PROBER_ERRNO = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

# X509_V_ERR_* numbers are part of OpenSSL's ABI; the ssl module has no names for them.
_VERIFY_CODES = {
    9: Outcome.TLS_NOT_YET_VALID,
    10: Outcome.TLS_EXPIRED,
    62: Outcome.TLS_NAME_MISMATCH,
    64: Outcome.TLS_NAME_MISMATCH,
}


class Failure(Exception):
    """An attempt that ended early: its outcome, and the raw error in words."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


def timed_out(phase: str) -> Failure:
    """The failure of an attempt whose deadline passed in `phase`."""
    return Failure(TIMEOUT_OF[phase], f"deadline passed in phase {phase}")


def broken(phase: str, error: OSError) -> Failure:
    """The failure of an attempt whose socket raised `error` in `phase`."""
    detail = describe(error)
    if error.errno in _PROBER_ERRNO:
        return Failure(Outcome.PROBER_ERROR, detail)
    if phase == "connect":
        return Failure(_CONNECT_ERRNO.get(error.errno or 0, BROKEN_IN[phase]), detail)
    if error.errno == errno.ETIMEDOUT:
        return Failure(TIMEOUT_OF[phase], detail)
    return Failure(BROKEN_IN[phase], detail)


def tls_refused(error: ssl.SSLError) -> Failure:
    """The failure of a handshake that raised `error`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        outcome = _VERIFY_CODES.get(error.verify_code, Outcome.TLS_UNTRUSTED)
        return Failure(outcome, f"certificate: {error.verify_message}")
    return Failure(Outcome.TLS_ERROR, describe(error))


def describe(error: BaseException) -> str:
    """One line that names the type and the message of `error`."""
    # The errno of an SSLError is a number of OpenSSL's, not of the system's.
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno:
        return f"{errno.errorcode.get(error.errno, error.errno)}: {error.strerror}"
    if isinstance(error, ssl.SSLError):
        return f"{type(error).__name__}: {error.strerror}"
    return f"{type(error).__name__}: {error}"
