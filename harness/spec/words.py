"""The words that scenarios, records and evidence share: verdicts, hops and exit codes."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What the command line exits with."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    ERROR = 4


class Verdict(StrEnum):
    """The four values a claim can have."""

    PASS = "PASS"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAIL = "FAIL"
    ERROR = "ERROR"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a run that ends with this verdict."""
        return ExitCode[self.value]


class Hop(StrEnum):
    """One step of a request's path, in the order in which they are passed."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    SEND = "send"
    WAIT = "wait"
    TRANSFER = "transfer"
    STATUS = "status"
    BODY = "body"
    NONE = "none"
    PROBER = "prober"
