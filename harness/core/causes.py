"""Causes: what is broken, from how the named vantage fails and which other vantages do.

The first row that matches a pattern counts. docs/diagnosis.md is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.pattern import Flag, Pattern, Where
from harness.core.view import Signature


@dataclass(frozen=True, slots=True)
class Cause:
    """What is broken, from how the named vantage fails and which others do; empty means any."""

    id: str
    finding: str
    next_step: str
    signatures: frozenset[Signature] = frozenset()
    where: frozenset[Where] = frozenset()
    flag: Flag | None = None

    def matches(self, pattern: Pattern) -> bool:
        """Whether this row is about the pattern."""
        return (
            (not self.signatures or pattern.signature in self.signatures)
            and (not self.where or pattern.where in self.where)
            and (self.flag is None or self.flag in pattern.flags)
        )


_LOOK = (
    "kubectl -n {namespace} get ksvc,route,revision,pods -l serving.knative.dev/service={service}"
)
_LOGS = "kubectl -n {namespace} logs -l serving.knative.dev/service={service} -c user-container"
_GATEWAY = "kubectl -n {gateway} get svc,endpointslices,pods -o wide"
_CURL = "curl -sv --max-time 5 {url}"
_AGAIN = "vpm probe {service} --namespace {namespace} --requests 100"

CAUSES: tuple[Cause, ...] = (
    Cause(
        "dns-not-found",
        "the name does not resolve there",
        "getent hosts {host}",
        frozenset({Signature.DNS_NOT_FOUND}),
    ),
    Cause(
        "dns-silent",
        "the resolver does not answer there",
        "cat /etc/resolv.conf; getent hosts {host}",
        frozenset({Signature.DNS_TIMEOUT}),
    ),
    Cause(
        "dns-error",
        "the resolver answers with an error there",
        "cat /etc/resolv.conf; getent hosts {host}",
        frozenset({Signature.DNS_ERROR}),
    ),
    Cause(
        "public-port-closed",
        "the gateway works at its own address, but nothing listens where the public URL points",
        "ss -ltn 'sport = :{port}'; getent hosts {host}",
        frozenset({Signature.REFUSED}),
        frozenset({Where.DEVBOX}),
    ),
    Cause(
        "gateway-not-exposed",
        "works inside the cluster, but the gateway is not exposed on the host",
        "ss -ltn 'sport = :{port}'; kubectl -n {gateway} get svc kourier",
        frozenset({Signature.REFUSED}),
        frozenset({Where.OUTSIDE}),
    ),
    Cause(
        "cluster-address-closed",
        "works from outside, but nothing listens at the address used inside the cluster",
        "kubectl -n {gateway} get endpointslices",
        frozenset({Signature.REFUSED}),
        frozenset({Where.INSIDE}),
    ),
    Cause(
        "nothing-listens",
        "nothing listens at the address",
        _GATEWAY,
        frozenset({Signature.REFUSED}),
    ),
    Cause(
        "connect-dropped",
        "connection attempts get no answer: dropped by a filter, or a full backlog",
        "ss -ltn 'sport = :{port}'; nc -vz -w 5 {host} {port}",
        frozenset({Signature.CONNECT_TIMEOUT}),
    ),
    Cause(
        "no-route",
        "there is no route to the address",
        "ip route get {host}",
        frozenset({Signature.UNREACHABLE}),
    ),
    Cause(
        "clock-skew",
        "the certificate's dates fail on a machine whose clock is wrong",
        "date -u",
        frozenset({Signature.TLS_EXPIRED, Signature.TLS_NOT_YET_VALID}),
        flag=Flag.SKEW,
    ),
    Cause(
        "tls-untrusted",
        "the certificate is signed by nobody who is trusted there",
        "openssl s_client -connect {host}:{port} -servername {host} -showcerts",
        frozenset({Signature.TLS_UNTRUSTED}),
    ),
    Cause(
        "tls-expired",
        "the certificate has expired",
        "openssl s_client -connect {host}:{port} -servername {host}",
        frozenset({Signature.TLS_EXPIRED}),
    ),
    Cause(
        "tls-not-yet-valid",
        "the certificate is not valid yet",
        "openssl s_client -connect {host}:{port} -servername {host}",
        frozenset({Signature.TLS_NOT_YET_VALID}),
    ),
    Cause(
        "tls-name",
        "the certificate is for another name",
        "openssl s_client -connect {host}:{port} -servername {host}",
        frozenset({Signature.TLS_NAME}),
    ),
    Cause(
        "tls-silent",
        "the handshake gets no answer",
        "openssl s_client -connect {host}:{port} -servername {host}",
        frozenset({Signature.TLS_TIMEOUT}),
    ),
    Cause(
        "tls-broken",
        "the handshake fails: not TLS on that port, or no common version",
        "openssl s_client -connect {host}:{port} -servername {host}",
        frozenset({Signature.TLS_ERROR}),
    ),
    Cause(
        "send-broken",
        "the connection breaks while the request is sent",
        _CURL,
        frozenset({Signature.SEND_RESET, Signature.SEND_TIMEOUT}),
    ),
    Cause(
        "silent-outside",
        "connections are accepted outside the cluster but never answered; inside they are",
        _GATEWAY,
        frozenset({Signature.SILENT}),
        frozenset({Where.OUTSIDE, Where.DEVBOX}),
    ),
    Cause(
        "silent",
        "connections are accepted but no answer comes: the app or the gateway hangs",
        _LOGS,
        frozenset({Signature.SILENT}),
    ),
    Cause(
        "connection-reset",
        "the connection is reset before an answer",
        _GATEWAY,
        frozenset({Signature.RESET}),
    ),
    Cause(
        "connection-closed",
        "the connection is closed without an answer",
        _GATEWAY,
        frozenset({Signature.CLOSED}),
    ),
    Cause(
        "answer-cut",
        "the answer begins but does not end",
        _LOGS,
        frozenset({Signature.TRANSFER_TIMEOUT, Signature.TRUNCATED}),
    ),
    Cause(
        "not-http",
        "what answers does not speak HTTP: another server, or TLS on a plain port",
        "ss -ltnp 'sport = :{port}'",
        frozenset({Signature.MALFORMED}),
    ),
    Cause(
        "answer-too-large",
        "the answer exceeds the probe's limit",
        "curl -s {url} | wc -c",
        frozenset({Signature.TOO_LARGE}),
    ),
    Cause(
        "host-not-routed",
        "the gateway answers 404 itself: it has no route for this host",
        "kubectl -n {namespace} get kingress {service} -o yaml",
        frozenset({Signature.GATEWAY_404}),
    ),
    Cause(
        "no-healthy-upstream",
        "the gateway answers 503 itself: it has no healthy backend for this host",
        "kubectl -n {namespace} get endpointslices,pods",
        frozenset({Signature.GATEWAY_503}),
    ),
    Cause(
        "gateway-timeout",
        "the gateway gave up waiting for the backend (504 of its own)",
        _LOGS,
        frozenset({Signature.GATEWAY_504}),
    ),
    Cause(
        "gateway-status",
        "the gateway itself answers with an unexpected status",
        "kubectl -n {gateway} logs deploy/3scale-kourier-gateway",
        frozenset({Signature.GATEWAY_STATUS}),
    ),
    Cause(
        "app-timeout",
        "the app exceeds its timeoutSeconds (504 from behind the gateway)",
        _LOGS,
        frozenset({Signature.SERVICE_504}),
    ),
    Cause(
        "app-closes",
        "the app drops the connection (502 from behind the gateway)",
        _LOGS,
        frozenset({Signature.SERVICE_502}),
    ),
    Cause(
        "app-status",
        "the app itself answers with an unexpected status",
        _LOGS,
        frozenset({Signature.SERVICE_STATUS}),
    ),
    Cause(
        "another-server",
        "something that is not the gateway answers at that address",
        "ss -ltnp 'sport = :{port}'",
        frozenset({Signature.OTHER_SERVER}),
    ),
    Cause(
        "wrong-service",
        "the gateway hands the request to something with another body",
        _LOOK,
        frozenset({Signature.WRONG_BODY}),
    ),
    Cause(
        "unknown",
        "requests fail, and the summary does not say how",
        _AGAIN,
    ),
)


def cause_of(pattern: Pattern) -> Cause:
    """The first cause that matches; the last row matches everything that is left."""
    return next(row for row in CAUSES if row.matches(pattern))
