"""`vpm cluster`: start, look at, end the clusters that the harness keeps, and break them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from harness.cli.cluster_faults import fault
from harness.cli.options import cluster_options, to_run_options
from harness.core.errors import UsageError
from harness.options import PROVIDERS
from harness.ports import Cluster
from harness.provider import choose_driver, request_for
from harness.spec.model import ClusterSpec
from harness.spec.words import ExitCode
from infra.clusters.components import COMPONENTS, component_log
from infra.clusters.embedded_process import ServerInfo
from infra.clusters.kept import (
    Kept,
    cancel_start,
    clear_interrupted,
    delete_kept,
    find_kept,
    kept_clusters,
    server_of,
    state_of,
)
from infra.clusters.kind_config import shipped_name
from infra.clusters.resources import KSERVICE, dig, name_of, namespace_of

_GIVEN = "vpm.cluster.name"  # where --name is kept until the argument is looked at
_JSON = click.option("--json", "as_json", is_flag=True, help="print JSON")
_PROVIDER = click.option(
    "--cluster",
    "provider",
    type=click.Choice([name for name in PROVIDERS if name not in ("auto", "existing")]),
    help="which provider's, where two clusters have one name",
)

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _keep_name(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    context.meta[_GIVEN] = value


def _choose_name(context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    option: str | None = context.meta.get(_GIVEN)
    if value and option and value != option:
        raise UsageError(f"two names are given: {value!r} and --name {option!r}", mend="give one")
    return value or option or shipped_name()


def _named(command: _Command) -> _Command:
    """The cluster's name, as an argument or as `--name`."""
    option = click.option(
        "--name",
        "option",
        is_eager=True,
        expose_value=False,
        callback=_keep_name,
        help="the cluster's name, instead of the argument",
    )
    return option(click.argument("name", required=False, callback=_choose_name)(command))


_POD_NETWORKS = {
    "netns": "each pod has a network namespace and an address of its own",
    "userns": "each pod has a network namespace of its own, in a user namespace behind relays",
    "loopback": "pods share this machine's network, each with its own PORT, and cluster names do"
    " not resolve in them",
}


@click.group()
def cluster() -> None:
    """Start, list and end clusters."""


@cluster.command()
@_named
@cluster_options
@_JSON
def up(name: str, as_json: bool, **choices: Any) -> None:
    """Start the cluster NAME (default: vpm-mini) with Knative on it, and keep it."""
    options = replace(to_run_options(choices), keep="always")
    driver, why = choose_driver(options, _progress)
    _progress(f"{driver.provider} cluster: {why}")
    spec = _spec(name)
    with driver.open(request_for(spec, options, driver.provider)) as opened:
        _show(_described(opened), as_json)


@cluster.command()
@_named
@_PROVIDER
@click.option("--confirm", metavar="UID", help="the cluster's UID, when something would be lost")
def down(name: str, provider: str | None, confirm: str | None) -> None:
    """Delete the cluster NAME if it is the one that the harness created.

    It is not deleted when it carries foreign workloads or standing targets
    (infra/k8s/targets.yaml), unless its UID is given.
    """
    if provider in (None, "kind") and clear_interrupted(name, progress=_progress):
        return
    if provider in (None, "embedded") and cancel_start(name, progress=_progress):
        return
    delete_kept(find_kept(name, provider=provider), confirm=confirm, progress=_progress)


@cluster.command(name="list")
@_JSON
def list_(as_json: bool) -> None:
    """The clusters that the harness created and keeps; exit 4 when a record cannot be read."""
    found, broken = kept_clusters()
    rows = [{**asdict(kept.record), "state": state_of(kept)} for kept in found]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows and not broken:
        click.echo("no cluster is kept")
    for row in () if as_json else rows:
        click.echo(f"{row['name']}  {row['provider']}  {row['state']}  {row['context']}")
    for error in broken:
        click.echo(f"error: {error}", err=True)
    if broken:
        raise click.exceptions.Exit(ExitCode.ERROR)


@cluster.command()
@_named
@_PROVIDER
@_JSON
def status(name: str, provider: str | None, as_json: bool) -> None:
    """What the cluster NAME is and what runs on it; exit 4 when it does not answer."""
    kept = find_kept(name, provider=provider)
    services = {f"{namespace_of(item)}/{name_of(item)}": _ready(item) for item in _services(kept)}
    record = kept.record
    seen = {
        "name": record.name,
        "provider": record.provider,
        "state": state_of(kept),
        "context": record.context,
        "kubeconfig": record.kubeconfig,
        "uid": record.uid,
        "created": record.created_at,
        **_serving(server_of(kept)),
        "services": services,
    }
    _show(seen, as_json)


@cluster.command()
@_named
@_PROVIDER
@click.option("--lines", default=100, show_default=True, help="how many lines of the end")
@click.option(
    "--of",
    "component",
    type=click.Choice(COMPONENTS),
    help="the log of one of Knative's components instead",
)
def logs(name: str, provider: str | None, lines: int, component: str | None) -> None:
    """The log of the embedded cluster NAME, or of a component of any."""
    kept = find_kept(name, provider=provider)
    if component is not None:
        click.echo(component_log(kept.api, component, lines=lines), nl=False)
        return
    if kept.record.provider != "embedded":
        raise UsageError(
            "only the embedded cluster has one log",
            mend=f"kind export logs --name {kept.record.name}",
        )
    text = kept.log.read_text(encoding="utf-8", errors="replace") if kept.log.exists() else ""
    click.echo("\n".join(text.splitlines()[-lines:]))


@cluster.command()
@_named
@_PROVIDER
@click.option("--content", is_flag=True, help="print the file's content, credentials included")
def kubeconfig(name: str, provider: str | None, content: bool) -> None:
    """The path of the kubeconfig of NAME: export KUBECONFIG=$(vpm cluster kubeconfig)."""
    path = Path(find_kept(name, provider=provider).record.kubeconfig)
    click.echo(path.read_text(encoding="utf-8") if content else path)


cluster.add_command(fault)


def _progress(line: str) -> None:
    click.echo(line, err=True)


def _spec(name: str) -> ClusterSpec:
    try:
        return ClusterSpec(name=name)
    except ValidationError as error:
        raise UsageError(
            f"{name!r} is no name for a cluster",
            mend="use small letters, digits and '-', at most 63 of them",
        ) from error


def _described(opened: Cluster) -> dict[str, Any]:
    identity = opened.identity
    return {
        "name": identity.name,
        "provider": identity.provider,
        "emulator": identity.emulator,
        "context": opened.context,
        "kubeconfig": str(opened.kubeconfig),
        "uid": identity.uid,
        "kubernetes": identity.server_version,
        "knative": identity.knative_version,
        "gateway": f"{opened.gateway.host}:{opened.gateway.http_port}",
        "domain": opened.domain,
    }


def _show(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        shown = (
            ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        )
        click.echo(f"{key:<13}{shown}")


def _serving(server: ServerInfo | None) -> Mapping[str, str]:
    """What the embedded cluster says of itself while it runs; nothing for other providers."""
    if server is None:
        return {}
    gateway, why = server.gateway, server.pod_network_reason
    pods = _POD_NETWORKS.get(server.pod_network, "")
    return {
        "gateway": f"{gateway.host}:{gateway.http_port}",
        "domain": server.domain,
        "time scale": f"{server.time_scale:g}",
        "pod network": f"{server.pod_network}: {pods}" + (f" ({why})" if why else ""),
    }


def _services(kept: Kept) -> Sequence[Any]:
    return kept.api.list(KSERVICE)


def _ready(service: Any) -> str:
    conditions = dig(service, "status", "conditions") or ()
    ready = next((item for item in conditions if item["type"] == "Ready"), None)
    return f"Ready={ready['status']}" if ready else "Ready=Unknown"
