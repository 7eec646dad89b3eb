"""From raw errors to the closed list."""

from __future__ import annotations

import errno
import os
import ssl

import pytest

from probes.agent.outcomes import (
    BROKEN_IN,
    HOP_OF,
    PHASES,
    TIMEOUT_OF,
    Outcome,
    broken,
    describe,
    timed_out,
    tls_refused,
)


@pytest.mark.parametrize(
    ("phase", "code", "outcome"),
    [
        ("connect", errno.ECONNREFUSED, Outcome.CONNECT_REFUSED),
        ("connect", errno.ETIMEDOUT, Outcome.CONNECT_TIMEOUT),
        ("connect", errno.ENETUNREACH, Outcome.CONNECT_UNREACHABLE),
        ("connect", errno.EHOSTUNREACH, Outcome.CONNECT_UNREACHABLE),
        ("connect", errno.EACCES, Outcome.CONNECT_UNREACHABLE),
        ("connect", errno.EMFILE, Outcome.PROBER_ERROR),
        ("tls", errno.ECONNRESET, Outcome.TLS_ERROR),
        ("tls", errno.ETIMEDOUT, Outcome.TLS_TIMEOUT),
        ("send", errno.EPIPE, Outcome.SEND_RESET),
        ("send", errno.ENOBUFS, Outcome.PROBER_ERROR),
        ("wait", errno.ECONNRESET, Outcome.RESET),
        ("wait", errno.ETIMEDOUT, Outcome.WAIT_TIMEOUT),
        ("transfer", errno.ECONNRESET, Outcome.TRUNCATED),
        ("transfer", errno.EHOSTUNREACH, Outcome.TRUNCATED),
    ],
)
def test_errors_of_a_socket(phase: str, code: int, outcome: Outcome) -> None:
    failure = broken(phase, OSError(code, os.strerror(code)))
    assert failure.outcome is outcome
    assert failure.detail == f"{errno.errorcode[code]}: {os.strerror(code)}"


def verification(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (verification(9, "not yet valid"), Outcome.TLS_NOT_YET_VALID),
        (verification(10, "expired"), Outcome.TLS_EXPIRED),
        (verification(18, "self-signed"), Outcome.TLS_UNTRUSTED),
        (verification(20, "no issuer"), Outcome.TLS_UNTRUSTED),
        (verification(62, "hostname mismatch"), Outcome.TLS_NAME_MISMATCH),
        (verification(64, "IP address mismatch"), Outcome.TLS_NAME_MISMATCH),
        (ssl.SSLError(1, "wrong version number"), Outcome.TLS_ERROR),
        (ssl.SSLEOFError(8, "EOF occurred"), Outcome.TLS_ERROR),
    ],
)
def test_errors_of_a_handshake(error: ssl.SSLError, outcome: Outcome) -> None:
    assert tls_refused(error).outcome is outcome


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_can_time_out_and_break_at_its_own_hop(phase: str) -> None:
    assert HOP_OF[timed_out(phase).outcome] == phase
    assert HOP_OF[TIMEOUT_OF[phase]] == phase
    assert HOP_OF[BROKEN_IN[phase]] == phase


def test_the_number_of_a_tls_error_is_not_taken_for_an_errno() -> None:
    assert describe(ssl.SSLEOFError(8, "EOF occurred")) == "SSLEOFError: EOF occurred"
    assert describe(ValueError("odd")) == "ValueError: odd"
