"""Install Knative Serving and kourier: a table of steps, each skipped when it is already right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from harness.ports import Clock, JsonObject, KubeClient, Kubectl, ResourceKind
from harness.timing.wait import WaitTimeout, until
from infra.clusters.errors import (
    AccessDenied,
    BootstrapFailed,
    ForeignIngress,
    NodePortTaken,
    VersionSkew,
)
from infra.clusters.identity import KNATIVE_CONTROLLER, ClusterApi, installed_version
from infra.clusters.preflight import check_kubernetes
from infra.clusters.resources import (
    ACCESS_REVIEW,
    CONFIG_MAP,
    KOURIER_INGRESS_CLASS,
    KOURIER_NAMESPACE,
    KOURIER_SERVICE,
    SERVICE,
    SERVING_NAMESPACE,
    dig,
)
from infra.knative import checks
from infra.knative.manifests import ManifestSource
from infra.knative.retry import with_backoff
from infra.kube import ApiError

DEFAULT_DOMAIN: Final = "127.0.0.1.sslip.io"
"""Resolves to the caller's own loopback address, where kind's gateway listens."""

_APPLY_TIMEOUT: Final = 120.0
_READY_TIMEOUT: Final = 600.0
_TARGET_PORTS: Final = {80: ("http2", 8080), 443: ("https", 8443)}

# Failures of an apply that pass by themselves: webhooks and new kinds that are not there yet.
_PASSING = re.compile(
    r"failed calling webhook|failed to call webhook|no endpoints available|connection refused"
    r"|no matches for kind|the object has been modified|etcdserver|TLS handshake timeout"
    r"|i/o timeout|EOF|ensure CRDs are installed first"
)

Missing = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the cluster is to be. `node_ports` maps ports of kourier's Service to NodePorts.

    `domain` is None where the configured one, whatever it is, is right. `gateway_answers` says
    why the gateway does not answer from this machine, or None when it does.
    """

    domain: str | None = None
    node_ports: Mapping[int, int] = field(default_factory=dict)
    gateway_answers: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the steps work with."""

    api: ClusterApi
    kubectl: Kubectl
    source: ManifestSource
    wanted: Wanted
    clock: Clock

    @property
    def minor(self) -> str:
        """The release's name, for example `1.18`."""
        return self.source.release.name


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what is still missing, and what brings it about."""

    title: str
    missing: Callable[[Site], Missing]
    bring: Callable[[Site], None]


def _apply(component: str) -> Callable[[Site], None]:
    def bring(site: Site) -> None:
        manifest = site.source.load(component)
        result = with_backoff(
            lambda: site.kubectl.run(
                ["apply", "-f", "-"], timeout=_APPLY_TIMEOUT, stdin=manifest.content
            ),
            lambda result: result.exit_code != 0 and bool(_PASSING.search(result.stderr)),
            clock=site.clock,
        )
        if result.exit_code != 0:
            said = result.stderr.strip().splitlines() or ["no answer in time"]
            raise BootstrapFailed(
                f"kubectl apply of {component} ({manifest.origin}) failed: {said[-1]}",
                mend="mend what it names and run the same command again: finished steps are kept",
            )

    return bring


def _patch(site: Site, kind: ResourceKind, namespace: str, name: str, body: JsonObject) -> None:
    """Patch an object; Knative's webhook for its ConfigMaps may not answer at once."""

    def attempt() -> ApiError | None:
        try:
            site.api.patch(kind, namespace, name, body)
        except ApiError as error:
            return error
        return None

    failed = with_backoff(
        attempt,
        lambda error: error is not None and bool(_PASSING.search(error.message)),
        clock=site.clock,
    )
    if failed:
        raise failed


def _set_ingress_class(site: Site) -> None:
    body = {"data": {"ingress-class": KOURIER_INGRESS_CLASS}}
    _patch(site, CONFIG_MAP, SERVING_NAMESPACE, "config-network", body)


def _set_domain(site: Site) -> None:
    others: dict[str, str | None] = dict.fromkeys(checks.default_domains(site.api))
    body = {"data": {**others, site.wanted.domain or "": ""}}
    _patch(site, CONFIG_MAP, SERVING_NAMESPACE, "config-domain", body)


def _missing_domain(site: Site) -> Missing:
    return checks.missing_domain(site.api, site.wanted.domain) if site.wanted.domain else ()


def _set_node_ports(site: Site) -> None:
    # A merge patch replaces the list, so both ports are written whole.
    ports = [
        {
            "name": _TARGET_PORTS[port][0],
            "port": port,
            "protocol": "TCP",
            "targetPort": _TARGET_PORTS[port][1],
            "nodePort": node_port,
        }
        for port, node_port in site.wanted.node_ports.items()
    ]
    body = {"spec": {"type": "NodePort", "ports": ports}}
    _patch(site, SERVICE, KOURIER_NAMESPACE, KOURIER_SERVICE, body)


def _gateway_silent(site: Site) -> Missing:
    problem = site.wanted.gateway_answers()
    return (problem,) if problem else ()


def _nothing(_site: Site) -> None:
    """The step only waits."""


STEPS: Final = (
    Step(
        "Knative's kinds (CRDs)",
        lambda site: checks.missing_crds(site.api, site.minor),
        _apply("serving-crds"),
    ),
    Step(
        "Knative Serving",
        lambda site: checks.missing_core(site.api, site.minor),
        _apply("serving-core"),
    ),
    Step("kourier", lambda site: checks.missing_kourier(site.api, site.minor), _apply("kourier")),
    Step("ingress class", lambda site: checks.missing_ingress_class(site.api), _set_ingress_class),
    Step("domain", _missing_domain, _set_domain),
    Step(
        "NodePorts of the gateway",
        lambda site: checks.missing_node_ports(site.api, dict(site.wanted.node_ports)),
        _set_node_ports,
    ),
    Step("an answer of the gateway", _gateway_silent, _nothing),
)


def bootstrap(
    site: Site,
    *,
    progress: Callable[[str], None] = lambda _line: None,
    timeout: float = _READY_TIMEOUT,
) -> int:
    """Bring the cluster to what is wanted; returns how many steps changed something.

    Nothing is changed when a precondition does not hold. A second call changes nothing.

    Errors:
        VersionSkew, ForeignIngress, NodePortTaken, AccessDenied: before anything is changed.
        BootstrapFailed: a step did not succeed within `timeout` seconds.
    """
    check_preconditions(site)
    changed = 0
    for number, step in enumerate(STEPS, 1):
        label = f"[{number}/{len(STEPS)}] {step.title}"
        began = site.clock.monotonic()
        if not step.missing(site):
            progress(f"{label}: already right")
            continue
        step.bring(site)
        changed += step.bring is not _nothing
        _wait(site, step, timeout)
        progress(f"{label}: done after {site.clock.monotonic() - began:.1f} s")
    return changed


def check_preconditions(site: Site) -> None:
    """Refuse before anything is changed.

    Errors:
        VersionSkew: Kubernetes is too old, or another Knative is installed.
        ForeignIngress: Knative is installed with another ingress.
        NodePortTaken: a NodePort that is wanted belongs to another Service.
        AccessDenied: this user may not install.
    """
    check_kubernetes(site.api.server_version(), site.minor)
    installed = installed_version(site.api, KNATIVE_CONTROLLER)
    if installed and not installed.startswith(f"{site.minor}."):
        raise VersionSkew(
            f"Knative {installed} is installed, and {site.minor} was asked for",
            mend=f"ask for {'.'.join(installed.split('.')[:2])}, or upgrade by hand first",
        )
    network = checks.config_data(site.api, "config-network")
    current = network.get("ingress-class") or network.get("ingress.class")
    if current and current != KOURIER_INGRESS_CLASS:
        raise ForeignIngress(
            f"config-network names the ingress class {current}",
            mend="the harness does not replace an ingress; use the cluster without bootstrap, "
            "with --vpm-gateway HOST:PORT",
        )
    taken = checks.node_ports_taken(site.api, tuple(site.wanted.node_ports.values()))
    if taken:
        raise NodePortTaken("; ".join(taken), mend="give that Service another NodePort")
    _check_permission(site.api)


def _check_permission(api: KubeClient) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": {"group": "*", "resource": "*", "verb": "*"}},
    }
    answer = api.create(ACCESS_REVIEW, "", review)
    if not dig(answer, "status", "allowed"):
        raise AccessDenied(
            "this user may not install Knative: it needs to be a cluster administrator",
            mend="use an administrator's context, or let an administrator bootstrap",
        )


def _wait(site: Site, step: Step, timeout: float) -> None:
    try:
        until(
            lambda: step.missing(site),
            lambda missing: not missing,
            what=step.title,
            timeout=timeout,
            interval=1.0,
            clock=site.clock,
            describe="; ".join,
        )
    except WaitTimeout as error:
        raise BootstrapFailed(
            f"{step.title}: still missing after {timeout:.0f} s: {error.last}",
            mend="kubectl get pods -A; memory and image pulls are the usual causes",
        ) from error
