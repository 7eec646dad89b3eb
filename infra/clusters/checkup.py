"""Checks of a cluster through its API: is it one on which a KService can be READY and reached?"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.core.errors import ClusterError
from harness.core.finding import (
    Check,
    Finding,
    Seen,
    Status,
    failure,
    ok,
    perform_all,
    skipped,
    warning,
)
from harness.timing.clock import SystemClock
from infra.clusters.errors import GatewayUnreachable
from infra.clusters.gateway import answers, date_of, find_gateway, gateway_namespace, http_node_port
from infra.clusters.identity import (
    KNATIVE_CONTROLLER,
    ClusterApi,
    configured_domain,
    installed_version,
)
from infra.clusters.preflight import check_kubernetes, ingress_class, not_available
from infra.clusters.resources import (
    KOURIER_INGRESS_CLASS,
    KOURIER_SERVICE,
    KSERVICE,
    NODE,
    POD,
    SERVICE,
    SERVING_NAMESPACE,
    dig,
    name_of,
)
from infra.knative.catalogue import load_catalogue
from infra.knative.checks import missing_webhook
from infra.kube import ApiError

_CLOCK_TOLERANCE: Final = 2.0
_FORBIDDEN: Final = 403
_CONTROL_PLANE: Final = ("activator", "autoscaler", "controller", "webhook")


@dataclass(frozen=True, slots=True)
class Subject:
    """The cluster to look at. `gateway` is where it should answer, when that is known.

    `node_port` is the NodePort that kind maps to the gateway's port, for kind only.
    """

    api: ClusterApi
    kubeconfig: Path
    context: str
    gateway: tuple[str, int] | None = None
    node_port: int | None = None


def _permissions(subject: Subject) -> Seen:
    mode = stat.S_IMODE(subject.kubeconfig.stat().st_mode)
    seen = f"{subject.kubeconfig} is {mode:04o}"
    if mode & 0o077:
        return warning(
            f"{seen}: others can read its credentials", f"chmod 600 {subject.kubeconfig}"
        )
    return ok(seen)


def _reachable(subject: Subject) -> Seen:
    seen = f"context {subject.context}: Kubernetes {subject.api.server_version()}"
    try:
        return ok(f"{seen}, {len(subject.api.list(NODE))} node(s)")
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return ok(f"{seen}; this user may not see its nodes")


def _versions(subject: Subject) -> Seen:
    knative = installed_version(subject.api, KNATIVE_CONTROLLER)
    kubernetes = subject.api.server_version()
    minor = ".".join(knative.split(".")[:2])
    catalogue = load_catalogue()
    if minor not in catalogue.names:
        return warning(
            f"Knative {knative or 'of unknown version'} on Kubernetes {kubernetes}",
            f"versions that are known: {', '.join(catalogue.names)}",
        )
    check_kubernetes(kubernetes, minor)
    if not catalogue.release(minor).supported:
        return warning(f"Knative {knative}: not the version that is stood for", "use 1.18")
    return ok(f"Knative {knative} on Kubernetes {kubernetes}")


def _knative(subject: Subject) -> Seen:
    if not subject.api.serves(KSERVICE):
        return failure("Knative Serving is not installed", "vpm cluster up --bootstrap")
    problems = not_available(subject.api, SERVING_NAMESPACE, _CONTROL_PLANE)
    if problems:
        return failure("; ".join(problems), f"kubectl -n {SERVING_NAMESPACE} get pods")
    return ok(f"{', '.join(_CONTROL_PLANE)} are Available")


def _webhook(subject: Subject) -> Seen:
    if missing_webhook(subject.api):
        return failure(
            "the webhook has no ready endpoint: applies and deletes of KServices fail",
            f"kubectl -n {SERVING_NAMESPACE} describe deployment webhook",
        )
    return ok("the webhook has a ready endpoint")


def _ingress(subject: Subject) -> Seen:
    name = ingress_class(subject.api)
    if name == KOURIER_INGRESS_CLASS:
        return ok(name)
    return warning(f"{name}, not kourier", "name its gateway: --gateway HOST:PORT")


def _domain(subject: Subject) -> Seen:
    domain = configured_domain(subject.api)
    if domain:
        return ok(domain)
    return warning(
        "config-domain names no default domain: KServices get svc.cluster.local only",
        "vpm cluster up --bootstrap --domain DOMAIN",
    )


def _service(subject: Subject) -> Seen:
    namespace = gateway_namespace(subject.api)
    service = subject.api.get(SERVICE, namespace, KOURIER_SERVICE)
    if service is None:
        return failure(
            f"there is no Service {namespace}/{KOURIER_SERVICE}",
            "vpm cluster up --bootstrap",
        )
    kind, port = dig(service, "spec", "type"), http_node_port(service)
    seen = f"{kind}, port 80 has NodePort {port or 'none'}"
    if subject.node_port and port != subject.node_port:
        return failure(
            f"{seen}; kind maps the host's port to {subject.node_port}",
            "vpm cluster up --bootstrap sets the NodePorts",
        )
    return ok(seen)


def _gateway(subject: Subject) -> Seen:
    if subject.gateway is None:
        return _found_gateway(subject)
    host, port = subject.gateway
    problem = answers(host, port)
    if problem:
        namespace = gateway_namespace(subject.api)
        return failure(f"{host}:{port}: {problem}", f"kubectl -n {namespace} get pods,svc")
    return ok(f"{host}:{port} answers 404 from envoy for an unknown host")


def _found_gateway(subject: Subject) -> Seen:
    if ingress_class(subject.api) != KOURIER_INGRESS_CLASS:
        return skipped("its address is not known here: --gateway HOST:PORT")
    try:
        found = find_gateway(subject.api)
    except GatewayUnreachable as error:
        return warning(
            f"{error.message}; a run uses kubectl port-forward",
            error.mend or "--gateway HOST:PORT",
        )
    return ok(f"{found.host}:{found.http_port} answers 404 from envoy for an unknown host")


def _clock(subject: Subject) -> Seen:
    date = date_of(*subject.gateway) if subject.gateway else None
    if date is None:
        return skipped("the gateway does not say what time it is")
    behind = (SystemClock().now() - date).total_seconds()
    seen = f"this machine is {behind:+.0f} s from the gateway"
    return ok(seen) if abs(behind) <= _CLOCK_TOLERANCE else warning(seen, "synchronise both clocks")


CHECKS: Final = (
    Check("kubeconfig", "it holds credentials", _permissions),
    Check("context", "nothing works without the API server", _reachable),
    Check("knative", "it makes KServices READY", _knative),
    Check("versions", "the controllers refuse a Kubernetes that is too old", _versions),
    Check("webhook", "without it applies and deletes fail with 500", _webhook),
    Check("ingress-class", "the gateway is found through kourier", _ingress),
    Check("domain", "it is part of every public URL", _domain),
    Check("kourier-service", "it leads from the host's port to the gateway", _service),
    Check("gateway", "READY says nothing about this hop", _gateway),
    Check("gateway-clock", "the cluster's times are compared with this machine's", _clock),
)


_REACHABLE: Final = ("kubeconfig", "context")


def look_at(subject: Subject) -> tuple[Finding, ...]:
    """Every check's finding; an API server that does not answer is not asked ten times."""
    first = perform_all([check for check in CHECKS if check.id in _REACHABLE], subject)
    rest = [check for check in CHECKS if check.id not in _REACHABLE]
    if first[-1].status is not Status.FAILURE:
        return first + perform_all(rest, subject)
    unseen = "not looked at: the context's API does not answer (see above)"
    return first + tuple(Finding(check.id, Status.SKIPPED, unseen, check.why) for check in rest)


def probe_pod(subject: Subject) -> str:
    """A running pod of metrics-echo, whose image has a shell; empty when there is none."""
    selector = "serving.knative.dev/service=metrics-echo"
    try:
        pods = subject.api.list(POD, "default", selector=selector)
    except ClusterError:
        return ""  # The check of the context says why.
    running = [name_of(pod) for pod in pods if dig(pod, "status", "phase") == "Running"]
    return running[0] if running else ""
