"""`vpm cluster`: start, look at, end the clusters that the harness keeps, and break them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from harness.cli.options import cluster_options, to_run_options
from harness.core.errors import UsageError
from harness.options import PROVIDERS
from harness.ports import Cluster
from harness.provider import choose_driver, request_for
from harness.spec.model import ClusterSpec
from harness.timing.clock import SystemClock
from infra.clusters.faults import EmulatorFaults, InjectedFault
from infra.clusters.kept import (
    Kept,
    clear_interrupted,
    delete_kept,
    find_kept,
    kept_clusters,
    state_of,
)
from infra.clusters.kind_config import shipped_name
from infra.clusters.resources import FAULT, KSERVICE, dig, name_of, namespace_of

_NAME = click.argument("name", default=shipped_name)
_JSON = click.option("--json", "as_json", is_flag=True, help="print JSON")
_PROVIDER = click.option(
    "--cluster",
    "provider",
    type=click.Choice([name for name in PROVIDERS if name not in ("auto", "existing")]),
    help="which provider's, where two clusters have one name",
)


@click.group()
def cluster() -> None:
    """Start, list and end clusters."""


@cluster.command()
@_NAME
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
@_NAME
@_PROVIDER
@click.option("--confirm", metavar="UID", help="the cluster's UID, when something would be lost")
def down(name: str, provider: str | None, confirm: str | None) -> None:
    """Delete the cluster NAME if it is the one that the harness created.

    It is not deleted when it carries foreign workloads or standing targets
    (infra/k8s/targets.yaml), unless its UID is given.
    """
    if provider in (None, "kind") and clear_interrupted(name, progress=_progress):
        return
    delete_kept(find_kept(name, provider=provider), confirm=confirm, progress=_progress)


@cluster.command(name="list")
@_JSON
def list_(as_json: bool) -> None:
    """The clusters that the harness created and keeps."""
    rows = [{**asdict(kept.record), "state": state_of(kept)} for kept in kept_clusters()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo("no cluster is kept")
    for row in () if as_json else rows:
        click.echo(f"{row['name']}  {row['provider']}  {row['state']}  {row['context']}")


@cluster.command()
@_NAME
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
        "services": services,
    }
    _show(seen, as_json)


@cluster.command()
@_NAME
@_PROVIDER
@click.option("--lines", default=100, show_default=True, help="how many lines of the end")
def logs(name: str, provider: str | None, lines: int) -> None:
    """The log of the embedded cluster NAME."""
    kept = find_kept(name, provider=provider)
    if kept.record.provider != "embedded":
        raise UsageError(
            "only the embedded cluster has one log",
            mend=f"kind export logs --name {kept.record.name}",
        )
    text = kept.log.read_text(encoding="utf-8", errors="replace") if kept.log.exists() else ""
    click.echo("\n".join(text.splitlines()[-lines:]))


@cluster.command()
@_NAME
@_PROVIDER
@click.option("--content", is_flag=True, help="print the file's content, credentials included")
def kubeconfig(name: str, provider: str | None, content: bool) -> None:
    """The path of the kubeconfig of NAME: export KUBECONFIG=$(vpm cluster kubeconfig)."""
    path = Path(find_kept(name, provider=provider).record.kubeconfig)
    click.echo(path.read_text(encoding="utf-8") if content else path)


@cluster.group()
def fault() -> None:
    """Break the embedded cluster, and mend it."""


@fault.command(name="add")
@click.argument("type_")
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--name", default=shipped_name, help="the cluster (default: vpm-mini)")
def add_fault(type_: str, parameters: Sequence[str], name: str) -> None:
    """Put a fault of a type into effect; it stays until it is removed."""
    kept = find_kept(name, provider="embedded")
    pairs = dict(_pair(text) for text in parameters)
    EmulatorFaults(kept.api, SystemClock()).inject(type_, pairs)
    _progress(f"{type_} is in effect")


@fault.command(name="list")
@click.option("--name", default=shipped_name, help="the cluster (default: vpm-mini)")
@_JSON
def list_faults(name: str, as_json: bool) -> None:
    """The faults that are in effect."""
    faults = find_kept(name, provider="embedded").api.list(FAULT)
    if as_json:
        click.echo(json.dumps([dict(item) for item in faults], indent=2))
        return
    for item in faults:
        click.echo(f"{name_of(item)}  {dig(item, 'spec', 'type')}  {dig(item, 'status', 'phase')}")


@fault.command(name="remove")
@click.argument("fault_name", required=False)
@click.option("--name", default=shipped_name, help="the cluster (default: vpm-mini)")
def remove_fault(fault_name: str | None, name: str) -> None:
    """Mend one fault, or all."""
    api = find_kept(name, provider="embedded").api
    for item in api.list(FAULT):
        if fault_name in (None, name_of(item)):
            InjectedFault(api, name_of(item), SystemClock()).close()
            _progress(f"{name_of(item)} is mended")


def _progress(line: str) -> None:
    click.echo(line, err=True)


def _spec(name: str) -> ClusterSpec:
    try:
        return ClusterSpec(name=name, contexts=("*",))
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
        click.echo(f"{key:<12}{shown}")


def _services(kept: Kept) -> Sequence[Any]:
    return kept.api.list(KSERVICE)


def _ready(service: Any) -> str:
    conditions = dig(service, "status", "conditions") or ()
    ready = next((item for item in conditions if item["type"] == "Ready"), None)
    return f"Ready={ready['status']}" if ready else "Ready=Unknown"


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{text!r} is not KEY=VALUE", mend="for example revision=hello-00001")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
