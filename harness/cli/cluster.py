"""`vpm cluster`: start, look at, end the clusters that the harness keeps, and break them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from harness.core.errors import UsageError
from harness.options import PROVIDERS
from harness.ports import Cluster, ClusterRequest
from harness.runner.kubectl import KubectlProcess
from harness.timing.clock import SystemClock
from infra.clusters.choose import choose
from infra.clusters.faults import EmulatorFaults, InjectedFault
from infra.clusters.kept import Kept, delete_kept, find_kept, kept_clusters, state_of
from infra.clusters.kind_config import shipped_name
from infra.clusters.resources import FAULT, KSERVICE, dig, name_of, namespace_of
from infra.knative.install import Installer
from infra.knative.manifests import read_image_map

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
@click.option(
    "--cluster", "provider", type=click.Choice(PROVIDERS), default="auto", show_default=True,
    help="which cluster to use",
)  # fmt: skip
@click.option("--context", help="kubeconfig context, with --cluster existing")
@click.option("--kubeconfig", help="kubeconfig file of that context (default: $KUBECONFIG)")
@click.option("--gateway", help="HOST:PORT of the gateway, where it cannot be found")
@click.option("--domain", help="domain of the KServices (default: 127.0.0.1.sslip.io)")
@click.option("--knative", default="1.18", show_default=True, help="version of Knative Serving")
@click.option("--bootstrap", is_flag=True, help="install Knative on a cluster that is not ours")
@click.option("--bundle", type=click.Path(path_type=Path, exists=True),
              help="bundle, or folder with the manifests, in place of the network")  # fmt: skip
@click.option("--image-map", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="YAML file with lines of `IMAGE: OTHER-IMAGE`")  # fmt: skip
@click.option("--kind-bin", help="kind executable (default: $KIND_BIN, then PATH)")
@click.option("--kind-image", help="kind node image (default: that of this kind)")
@click.option("--http-port", help="port of the gateway on this machine (default: 80)")
@click.option("--https-port", help="TLS port of the gateway on this machine (default: 443)")
@_JSON
def up(name: str, as_json: bool, **values: Any) -> None:
    """Start the cluster NAME (default: vpm-mini) with Knative on it, and keep it."""
    installer = Installer(
        kubectl=lambda kubeconfig, context: KubectlProcess(
            kubeconfig=kubeconfig, context=context, clock=SystemClock()
        ),
        manifests=values["bundle"],
        images=read_image_map(values["image_map"]) if values["image_map"] else {},
        progress=_progress,
    )
    driver, why = choose(
        values["provider"], progress=_progress, kind_bin=values["kind_bin"], installer=installer
    )
    _progress(f"{driver.provider} cluster: {why}")
    request = ClusterRequest(
        name=name,
        knative=values["knative"],
        context=values["context"],
        gateway=values["gateway"],
        domain=values["domain"],
        keep="always",
        bootstrap=values["bootstrap"],
        options=_provider_options(driver.provider, values),
    )
    with driver.open(request) as opened:
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


def _provider_options(provider: str, values: dict[str, Any]) -> dict[str, str]:
    """The options of one provider; what belongs to another is refused by the driver."""
    given = {
        "http-port" if provider == "kind" else "port": values["http_port"],
        "https-port": values["https_port"],
        "image": values["kind_image"],
        "kubeconfig": values["kubeconfig"],
    }
    return {name: value for name, value in given.items() if value is not None}


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
