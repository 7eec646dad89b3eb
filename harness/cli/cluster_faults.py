"""`vpm cluster fault`: break the embedded cluster, and mend it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from harness.core.errors import UsageError
from harness.timing.clock import SystemClock
from infra.clusters.faults import EmulatorFaults, InjectedFault
from infra.clusters.kept import find_kept
from infra.clusters.kind_config import shipped_name
from infra.clusters.resources import FAULT, dig, name_of

_NAME = click.option("--name", default=shipped_name, help="the cluster (default: vpm-mini)")
_TYPES = """
\b
  gateway-not-exposed     connections to the gateway are refused
  gateway-silent          it accepts and never answers
  gateway-reset           it accepts and resets
  gateway-dropped         attempts to connect to it get no answer
  gateway-foreign         another web server answers in its place
  gateway-not-http        what answers in its place does not speak HTTP
  gateway-error           service= percent=100 status=503: the gateway's own answer
  inside-not-exposed      connections to it from inside the cluster are refused
  dns-not-found           name=NAME (default: every name): does not resolve in pods
  dns-error               name=NAME: the resolver answers SERVFAIL
  dns-slow                name=NAME seconds=5
  app-slow                service=NAMESPACE/NAME (default: every service) percent=100 seconds=2
  app-error               service= percent= status=500
  app-wrong-body          service= percent= body=TEXT
  app-truncated           service= percent=
  tls-expired             the gateway's certificate has expired
  tls-not-yet-valid       it is not valid yet
  tls-untrusted           it is signed by an authority that nobody knows
  tls-wrong-name          the gateway's certificate is for another name
  source-refused          source=ADDRESS or NETWORK: its connections are refused
  api-slow                seconds=2
  api-down                the API server answers 503
  component-down          name=controller: a component of Knative is scaled to nothing
  webhook-down            Knative's admission webhook does not answer
"""


@click.group()
def fault() -> None:
    """Break the embedded cluster, and mend it."""


@fault.command(epilog=_TYPES, context_settings={"ignore_unknown_options": True})
@click.argument("type_", metavar="TYPE")
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@_NAME
def add(type_: str, parameters: Sequence[str], name: str) -> None:
    """Put a fault of a TYPE into effect and print its name.

    It stays until it is removed, or for forSeconds=N. The types and what they take:
    """
    kept = find_kept(name, provider="embedded")
    pairs = dict(_pair(text) for text in parameters)
    made = EmulatorFaults(kept.api, SystemClock()).inject(type_, pairs)
    click.echo(made.name)
    click.echo(f"{type_} is in effect", err=True)


@fault.command(name="list")
@_NAME
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def list_(name: str, as_json: bool) -> None:
    """The faults that are in effect."""
    faults = find_kept(name, provider="embedded").api.list(FAULT)
    if as_json:
        click.echo(json.dumps([dict(item) for item in faults], indent=2))
        return
    for item in faults:
        spec = dict(dig(item, "spec") or {})
        words = [name_of(item), spec.pop("type", ""), dig(item, "status", "phase") or "Pending"]
        words += [f"{key}={value}" for key, value in sorted(spec.items())]
        click.echo("  ".join(words))


@fault.command()
@click.argument("fault_name", metavar="[FAULT]", required=False)
@_NAME
def remove(fault_name: str | None, name: str) -> None:
    """Mend one FAULT, by the name that `add` printed, or all."""
    api = find_kept(name, provider="embedded").api
    present = [name_of(item) for item in api.list(FAULT)]
    if fault_name is not None and fault_name not in present:
        raise UsageError(
            f"there is no fault {fault_name}; in effect are: {', '.join(present) or 'none'}",
            mend=f"vpm cluster fault list --name {name}",
        )
    for known in present:
        if fault_name in (None, known):
            InjectedFault(api, known, SystemClock()).close()
            click.echo(f"{known} is mended", err=True)


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{text!r} is not KEY=VALUE", mend="for example percent=50")
    if key in _TEXTS:
        return key, value
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


_TEXTS = frozenset({"body", "name", "service", "source"})  # never a number, whatever it looks like
