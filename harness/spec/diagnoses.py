"""The names of diagnoses, so that a misspelt expectation is found before anything runs.

What each means stands in the tables of `harness.core.situations` and `harness.core.causes`.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, StrictStr

from harness.spec.suggest import suggest

DIAGNOSES: Final = frozenset(
    {
        "absent",
        "absent-but-answering",
        "another-server",
        "answer-cut",
        "answer-too-large",
        "app-closes",
        "app-status",
        "app-timeout",
        "clock-skew",
        "cluster-address-closed",
        "cold-start",
        "connect-dropped",
        "connection-closed",
        "connection-reset",
        "dns-error",
        "dns-not-found",
        "dns-silent",
        "failed-update",
        "gateway-not-exposed",
        "gateway-status",
        "gateway-timeout",
        "host-not-routed",
        "never-ready",
        "no-data",
        "no-healthy-upstream",
        "no-route",
        "not-http",
        "not-ready",
        "not-ready-but-answering",
        "not-reconciled",
        "nothing-listens",
        "partial",
        "partial-by-revision",
        "prober-behind",
        "prober-error",
        "public-port-closed",
        "reachable",
        "readiness-gap",
        "ready-unreachable",
        "send-broken",
        "silent",
        "silent-outside",
        "tls-broken",
        "tls-expired",
        "tls-name",
        "tls-not-yet-valid",
        "tls-silent",
        "tls-untrusted",
        "unknown",
        "unreachable",
        "wrong-service",
    }
)


def _known(name: str) -> str:
    if name not in DIAGNOSES:
        raise ValueError(f"is not a diagnosis; {suggest(name, DIAGNOSES)}")
    return name


DiagnosisName = Annotated[StrictStr, AfterValidator(_known)]
