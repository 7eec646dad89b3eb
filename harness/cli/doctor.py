"""`vpm doctor`: is everything here that a cluster needs, and if not, what mends it?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from harness.core.errors import ClusterError, VpmError
from harness.core.finding import Finding, Status, perform_all, worst
from harness.options import PROVIDERS
from harness.spec.words import ExitCode
from infra.clusters import checkup, checkup_kind
from infra.clusters.checkup_kept import kept_findings
from infra.clusters.choose import choose
from infra.clusters.gateway import parse_gateway
from infra.clusters.kept import Kept, gateway_of
from infra.clusters.kind_config import HTTP_NODE_PORT, host_ports, shipped_config
from infra.clusters.kind_create import control_plane
from infra.clusters.kubeconfig import kubeconfig_files, pin, whole
from infra.kube import KubernetesClient
from probes.host import LOCAL, local_machine
from probes.node import NODE, POD, node, pod

_API_TIMEOUT = 3.0
_CONTEXT_WHY = "nothing works without the API server"
_MARKS = {
    Status.OK: ("ok", "green"),
    Status.SKIPPED: ("--", "bright_black"),
    Status.WARNING: ("warn", "yellow"),
    Status.FAILURE: ("FAIL", "red"),
}


@click.command()
@click.option("--cluster", "provider", type=click.Choice(PROVIDERS), default="auto",
              show_default=True, help="the cluster to check for")  # fmt: skip
@click.option("--context", help="kubeconfig context, with --cluster existing")
@click.option("--kubeconfig", help="kubeconfig file of that context (default: $KUBECONFIG)")
@click.option("--gateway", help="HOST:PORT where the gateway should answer")
@click.option("--kind-bin", help="kind executable (default: $KIND_BIN, then PATH)")
@click.option(
    "--kubectl", help="kubectl executable (default: this Python environment's, then PATH)"
)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def doctor(
    provider: str,
    context: str | None,
    kubeconfig: str | None,
    gateway: str | None,
    kind_bin: str | None,
    kubectl: str | None,
    as_json: bool,
) -> None:
    """Check this machine and the cluster, and say how to mend what is wrong.

    Exit 0 when nothing fails (warnings included), else 4.
    """
    chosen, why = _chosen(provider, kind_bin)
    programs = checkup_kind.Programs(kind_bin, kubectl)
    with ThreadPoolExecutor(1) as beside:  # Both mostly wait for others.
        machine = beside.submit(_machine_findings, chosen, programs)
        if chosen == "existing":
            clusters = _existing_findings(context, kubeconfig, gateway)
        else:
            clusters = _kept_findings(chosen)
        findings = [*machine.result(), *clusters]
    _print(chosen, why, findings, as_json)
    sys.exit(ExitCode.ERROR if worst(findings) is Status.FAILURE else ExitCode.PASS)


def _chosen(provider: str, kind_bin: str | None) -> tuple[str, str]:
    """Which provider is checked, and why; what it lacks is for the checks to say."""
    if provider != "auto":
        return provider, f"--cluster {provider} asks for it"
    try:
        driver, why = choose("auto", kind_bin=kind_bin)
    except VpmError as error:
        return "embedded", error.message
    return driver.provider, why


def _machine_findings(provider: str, programs: checkup_kind.Programs) -> Sequence[Finding]:
    if provider != "kind":
        machine = local_machine(provider, environment=dict(os.environ))
        return perform_all(LOCAL[provider], machine)
    ports = host_ports(shipped_config())
    engine = perform_all(checkup_kind.CHECKS, programs)
    machine = local_machine(
        provider,
        environment=dict(os.environ),
        address=ports.address,
        ports=(ports.http, ports.https),
        ports_ours=checkup_kind.our_cluster_runs(programs),
    )
    return engine + perform_all(LOCAL[provider], machine)


def _existing_findings(
    context: str | None, kubeconfig: str | None, gateway: str | None
) -> Sequence[Finding]:
    """The checks of the cluster that a context leads to.

    Errors:
        UsageError: no context, or a gateway that is not HOST:PORT.
    """
    address = parse_gateway(gateway) if gateway else None
    files = (Path(kubeconfig),) if kubeconfig else kubeconfig_files()
    with ExitStack() as stack:
        try:
            pinned = stack.enter_context(whole(pin(context, files=files), files))
        except ClusterError as error:
            return (Finding("context", Status.FAILURE, error.message, _CONTEXT_WHY, error.mend),)
        subject = checkup.Subject(
            api=KubernetesClient(pinned.kubeconfig, pinned.context, timeout=_API_TIMEOUT),
            kubeconfig=pinned.kubeconfig,
            context=pinned.context,
            gateway=(address.host, address.http_port) if address else None,
        )
        return _cluster_findings(subject)


def _kept_findings(provider: str) -> Sequence[Finding]:
    """What is remembered of this provider's clusters, and the checks of those that run."""
    findings, running = kept_findings(provider)
    for kept in running:
        subject = _subject(kept)
        findings += _cluster_findings(subject)
        if provider == "kind":
            findings += perform_all(NODE, node(control_plane(kept.record.name)))
    return findings


def _cluster_findings(subject: checkup.Subject) -> tuple[Finding, ...]:
    findings = checkup.look_at(subject)
    answered = all(f.status is not Status.FAILURE for f in findings if f.id == "context")
    return findings + (_pod_findings(subject) if answered else ())


def _pod_findings(subject: checkup.Subject) -> tuple[Finding, ...]:
    """The checks from inside a pod of one of our services, when one runs."""
    name = checkup.probe_pod(subject)
    if not name:
        return ()
    inside = pod(
        name,
        namespace="default",
        container="user-container",
        kubeconfig=subject.kubeconfig,
        context=subject.context,
    )
    return perform_all(POD, inside)


def _subject(kept: Kept) -> checkup.Subject:
    record = kept.record
    on_kind = record.provider == "kind"
    return checkup.Subject(
        api=KubernetesClient(Path(record.kubeconfig), record.context, timeout=_API_TIMEOUT),
        kubeconfig=Path(record.kubeconfig),
        context=record.context,
        gateway=gateway_of(kept),
        node_port=HTTP_NODE_PORT if on_kind else None,
    )


def _print(provider: str, why: str, findings: Sequence[Finding], as_json: bool) -> None:
    if as_json:
        body = {
            "provider": provider,
            "why": why,
            "status": worst(findings),
            "findings": [asdict(finding) for finding in findings],
        }
        click.echo(json.dumps(body, indent=2))
        return
    click.echo(f"{provider} cluster ({why})")
    for finding in findings:
        mark, colour = _MARKS[finding.status]
        click.echo(f"{click.style(f'{mark:>4}', fg=colour)}  {finding.id}: {finding.seen}")
        if finding.status in (Status.WARNING, Status.FAILURE):
            click.echo(f"      why:  {finding.why}")
            click.echo(f"      mend: {finding.mend}")
