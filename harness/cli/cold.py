"""`vpm probe --cold-start`: one request to a service at zero, split into its steps."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from harness.app import open_cluster, tools_for
from harness.cli.missing import located
from harness.cli.probe_round import read_target
from harness.core.reachability import reachable_claim
from harness.core.verdict import Verdict
from harness.options import RunOptions
from harness.spec.model import ProbeAction
from harness.spec.words import ExitCode
from harness.timing.clock import SystemClock
from infra.kube import KubernetesClient
from probes.coldstart import ColdStart, cold_start
from probes.scale import PodCounter

# Knative's default: a stable window of 60 s, a grace of 30 s, and the pod's own end.
_ZERO_TIMEOUT = 180.0
_ANSWER_TIMEOUT = "60s"


def show_cold_start(action: ProbeAction, namespace: str, options: RunOptions) -> ExitCode:
    """Measure one cold start through the gateway, print it, and return the exit code.

    Errors:
        ProbeError: the service did not get to zero, or the request could not be sent.
    """
    once = _once(action)
    clock = SystemClock()
    with open_cluster(options) as cluster, TemporaryDirectory(prefix="vpm-cold-") as scratch:
        tools = tools_for(cluster, options, root=Path.cwd(), folder=Path(scratch))
        with located(cluster):
            service = read_target(tools, once, namespace=namespace)
        client = KubernetesClient(cluster.kubeconfig, cluster.context, clock=clock)
        click.echo(f"waiting until {namespace}/{action.service} has no pod")
        seen = cold_start(
            service,
            once,
            prober=tools.prober,
            counter=PodCounter(client, clock, namespace, action.service),
            clock=clock,
            zero_timeout=_ZERO_TIMEOUT,
        )
    for line in cold_start_lines(seen):
        click.echo(line)
    verdict: Verdict = reachable_claim(seen.probe).verdict
    return verdict.exit_code


def cold_start_lines(seen: ColdStart) -> list[str]:
    """A cold start as a person reads it."""
    steps = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in seen.phases)
    outcome = next(iter(seen.probe.outcomes), "no answer")
    return [
        f"at zero after {seen.waited:.1f} s",
        f"{outcome} after {seen.seconds:.2f} s: {steps}",
    ]


def _once(action: ProbeAction) -> ProbeAction:
    """One request through the gateway: a second one would find the pod of the first."""
    changed = {"vantages": ["gateway"], "requests": 1, "warmup": 0, "rate": "1/s"}
    asked = {"service": action.service, "path": action.path, "method": action.method}
    return ProbeAction.model_validate({**asked, **changed, "timeout": _ANSWER_TIMEOUT})
