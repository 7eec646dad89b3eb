"""Going back: a contract that restores what before.yaml shows. It needs approval like any other.

Objects that were not there before the run stay: contracts cannot delete. They are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from pydantic import ValidationError

from harness.contracts.forms import safe_name
from harness.contracts.model import SCHEMA, Contract, Manifest, Resource, Target, dump
from harness.contracts.policy import Policy
from harness.core.errors import ClusterError, UsageError
from harness.core.redact import MASK
from harness.runner.execution import AFTER, BEFORE
from harness.runner.files import write_atomic
from harness.runner.objects import live_objects
from harness.runner.queue import Queue
from harness.runner.settings import RunnerSettings
from harness.runner.status import STATUS, Status, read_status

FOLDER = "rollback"
# Written by the server or by kubectl; they are no wish of anybody.
_SERVER_FIELDS = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
)  # fmt: skip
_SERVER_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "serving.knative.dev/creator",
    "serving.knative.dev/lastModifier",
)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that kubectl might take for something else: `1e3`, `0o14`, `y`."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """A text; quoted unless it begins like a word (then PyYAML knows when to quote)."""
        style = None if len(text) > 1 and text[0].isalpha() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


@dataclass(frozen=True, slots=True)
class Rollback:
    """The contract in the inbox, the manifests that it applies, and what it leaves as it is."""

    contract: Path
    manifests: tuple[Path, ...]
    id: str
    not_undone: tuple[str, ...] = ()


def make_rollback(
    run_id: str, *, settings: RunnerSettings, policy: Policy, now: datetime
) -> Rollback:
    """Make the contract that undoes a run, unapproved, in the inbox.

    Errors:
        UsageError: no such finished run, nothing was there before it, or its record was redacted.
    """
    folder = settings.reports / safe_name(run_id)
    status = read_status(folder / STATUS)
    before = _before(folder / BEFORE)
    remaining = _created(before, folder / AFTER, context=status.cluster.context)
    if not before:
        raise UsageError(
            f"{folder / BEFORE}: nothing was there before the run, so there is nothing to restore",
            mend="; ".join(remaining) or "look at the run's record",
        )
    manifests = {
        resource: settings.repo / policy.overlays[0] / FOLDER / _file(run_id, resource)
        for resource in before
    }
    for resource, manifest in manifests.items():
        manifest.parent.mkdir(exist_ok=True)
        write_atomic(
            manifest, yaml.dump(before[resource], Dumper=_Dumper, sort_keys=False).encode()
        )
    actions = [
        Manifest(
            verb="apply",
            manifest=manifest.relative_to(settings.repo).as_posix(),
            resource=resource,
        )
        for resource, manifest in manifests.items()
    ]
    contract = _contract(status, actions, remaining, now)
    queue = Queue(inbox=settings.inbox, reports=settings.reports)
    path = queue.submit(contract.id, dump(contract))
    return Rollback(path, tuple(manifests.values()), contract.id, remaining)


def _contract(
    status: Status, actions: Sequence[Manifest], remaining: Sequence[str], now: datetime
) -> Contract:
    note = f"Restores what run {status.run_id} found before it changed anything."
    return Contract(
        schema=SCHEMA,
        id=f"rollback_{safe_name(status.run_id)[:60]}_{now:%Y%m%dT%H%M%SZ}",
        kind="apply",
        source="rollback",
        created=now,
        note="\n".join([note, *(f"Not undone: {line}" for line in remaining)])[:4000],
        target=Target(
            contexts=(status.cluster.context,), namespace=str(actions[0].resource.namespace)
        ),
        scope=actions[0].manifest if len(actions) == 1 else None,
        actions=tuple(actions),
    )


def _file(run_id: str, resource: Resource) -> str:
    return f"{safe_name(run_id)}.{resource.kind.lower()}.{resource.name}.yaml"


def _before(path: Path) -> dict[Resource, dict[str, object]]:
    """What was there, as somebody would wish for it."""
    if not path.is_file():
        raise UsageError(f"{path}: the run changed nothing, so there is nothing to undo")
    text = path.read_text(encoding="utf-8")
    if MASK in text:
        raise UsageError(f"{path}: secrets were redacted; it cannot be applied as it is")
    return {_resource(live): _wished(live) for live in _objects(path)}


def _created(before: Iterable[Resource], after: Path, *, context: str) -> tuple[str, ...]:
    """What the run brought into being, each with the command that would remove it."""
    if not after.is_file():
        return ()
    made = [found for live in _objects(after) if (found := _resource(live)) not in set(before)]
    return tuple(
        f"{found} did not exist before; contracts cannot delete: kubectl --context {context} "
        f"delete -n {found.namespace} {found.known.qualified if found.known else found.kind} "
        f"{found.name}"
        for found in made
    )


def _objects(path: Path) -> list[dict[str, object]]:
    """The objects in a snapshot; a List of them is taken apart."""
    try:
        found = live_objects(path.read_text("utf-8"))
    except (ClusterError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML as kubectl prints it") from error
    if not all(isinstance(live.get("metadata"), dict) for live in found):
        raise UsageError(f"{path}: an object in it has no metadata")
    return found


def _wished(live: dict[str, object]) -> dict[str, object]:
    """An object without what servers write into it."""
    metadata = live.get("metadata")
    if not isinstance(metadata, dict):
        raise UsageError("the object before the run has no metadata")
    annotations = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if name not in _SERVER_ANNOTATIONS
    }
    kept = {name: value for name, value in metadata.items() if name not in _SERVER_FIELDS}
    kept.pop("annotations", None)
    if annotations:
        kept["annotations"] = annotations
    wished = {name: value for name, value in live.items() if name != "status"}
    return {**wished, "metadata": kept}


def _resource(live: dict[str, object]) -> Resource:
    metadata = live["metadata"]
    if not isinstance(metadata, dict):
        raise UsageError("the object before the run has no metadata")
    try:
        return Resource(
            api=str(live.get("apiVersion")),
            kind=str(live.get("kind")),
            name=str(metadata.get("name")),
            namespace=str(metadata.get("namespace", "default")),
        )
    except ValidationError as error:
        raise UsageError("an object in the record is none that a contract may name") from error
