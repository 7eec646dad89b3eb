"""`vpm load`: load a KService with Locust, and judge it by gates of our own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from pydantic import ValidationError

from harness.app import open_cluster, tools_for
from harness.cli.missing import located
from harness.cli.options import run_options, to_run_options
from harness.cli.probe_round import read_target
from harness.core.errors import UsageError
from harness.core.judge import load_claim
from harness.core.observation import LoadObserved
from harness.spec.model import LoadAction

_NOISE = "Value error, "


@click.command()
@click.argument("service")
@click.option("--namespace", "-n", default="default", show_default=True, help="Its namespace.")
@click.option("--users", type=int, default=10, show_default=True, help="Requests in flight.")
@click.option("--spawn-rate", default="10/s", show_default=True, help="Users started per second.")
@click.option("--duration", default="10s", show_default=True, help="Of the load.")
@click.option("--path", default="/", show_default=True, help="Path and query.")
@click.option("--timeout", default="5s", show_default=True, help="Of one request.")
@click.option("--min-requests", type=int, default=1, show_default=True, help="Gate: at least.")
@click.option("--success", default="100%", show_default=True, help="Gate: share of good requests.")
@click.option("--p95", help="Gate: the 95th percentile of the latency, for example 500ms.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts and the verdict as JSON.")
@run_options
@click.pass_context
def load(context: click.Context, /, **given: Any) -> None:
    """Load a KService through the gateway.

    A server that accepts and never answers does not pass: it has no requests to show.
    """
    action, options, namespace = read_options(given), to_run_options(given), given["namespace"]
    with (
        open_cluster(options) as cluster,
        TemporaryDirectory(prefix="vpm-load-") as scratch,
    ):
        tools = tools_for(cluster, options, root=Path.cwd(), folder=Path(scratch))
        with located(cluster):
            service = read_target(tools, action, namespace=namespace)
        seen = tools.load.load(service, action)
    claim = load_claim(action, seen)
    if given["as_json"]:
        click.echo(json.dumps({"claim": asdict(claim), "load": asdict(seen)}))
    else:
        for line in _lines(seen):
            click.echo(line)
        click.echo(f"{claim.verdict}: {claim.reason}")
    context.exit(claim.verdict.exit_code)


def read_options(given: dict[str, Any]) -> LoadAction:
    """The options of the command line, checked.

    Errors:
        UsageError: with every problem at once.
    """
    keys = ("service", "users", "spawn_rate", "duration", "path", "timeout")
    gates = {"requests": given["min_requests"], "success": given["success"]}
    if given["p95"] is not None:
        gates["p95"] = given["p95"]
    try:
        return LoadAction.model_validate({**{key: given[key] for key in keys}, "gates": gates})
    except ValidationError as error:
        problems = [
            f"{detail['loc'][-1]}: {detail['input']!r} {detail['msg'].removeprefix(_NOISE)}"
            for detail in error.errors()
        ]
        raise UsageError("\n".join(problems)) from error


def _lines(seen: LoadObserved) -> list[str]:
    """The counts first, then the latencies and the errors by their words."""
    lines = [f"{seen.requests} requests, {seen.failures} failures from {seen.users} users"]
    if seen.latency is not None:
        q = seen.latency
        figures = [("p50", q.p50), ("p95", q.p95), ("p99", q.p99), ("max", q.max)]
        lines.append("  ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in figures))
    if seen.replicas:
        steps = ", ".join(f"{ready} at {at:.1f} s" for at, ready in seen.replicas)
        lines.append(f"ready pods: {steps}")
    lines += [f"{count} x {error}" for error, count in seen.errors.items()]
    return lines
