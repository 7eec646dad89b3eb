"""Going back: a contract that restores what before.yaml shows. It needs approval like any other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from harness.contracts.forms import safe_name
from harness.contracts.model import SCHEMA, Contract, Manifest, Resource, Target, dump
from harness.contracts.policy import Policy
from harness.core.errors import UsageError
from harness.core.redact import MASK
from harness.runner.execution import BEFORE
from harness.runner.files import write_atomic
from harness.runner.queue import Queue
from harness.runner.settings import RunnerSettings
from harness.runner.status import STATUS, read_status

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


@dataclass(frozen=True, slots=True)
class Rollback:
    """The contract in the inbox and the manifest that it applies."""

    contract: Path
    manifest: Path
    id: str


def make_rollback(
    run_id: str, *, settings: RunnerSettings, policy: Policy, now: datetime
) -> Rollback:
    """Make the contract that undoes a run, unapproved, in the inbox.

    Errors:
        UsageError: no such finished run, nothing was there before it, or its record was redacted.
    """
    folder = settings.reports / safe_name(run_id)
    context = read_status(folder / STATUS).cluster.context
    before = _before(folder / BEFORE)
    resource = _resource(before)
    overlay = settings.repo / policy.overlays[0] / FOLDER
    manifest = overlay / f"{safe_name(run_id)}.yaml"
    overlay.mkdir(exist_ok=True)
    write_atomic(manifest, yaml.safe_dump(before, sort_keys=False).encode())
    id = f"rollback_{safe_name(run_id)[:60]}_{now:%Y%m%dT%H%M%SZ}"
    contract = Contract(
        schema=SCHEMA,
        id=id,
        kind="apply",
        source="rollback",
        created=now,
        note=f"Restores what run {run_id} found before it changed anything.",
        target=Target(contexts=(context,), namespace=str(resource.namespace)),
        scope=manifest.relative_to(settings.repo).as_posix(),
        actions=(
            Manifest(
                verb="apply",
                manifest=manifest.relative_to(settings.repo).as_posix(),
                resource=resource,
            ),
        ),
    )
    queue = Queue(inbox=settings.inbox, reports=settings.reports)
    return Rollback(queue.submit(id, dump(contract)), manifest, id)


def _before(path: Path) -> dict[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: the run changed nothing, so there is nothing to undo") from error
    if MASK in text:
        raise UsageError(f"{path}: secrets were redacted; it cannot be applied as it is")
    documents = [document for document in yaml.safe_load_all(text) if document]
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise UsageError(
            f"{path}: shows {len(documents)} objects, one is wanted",
            mend="an object that did not exist before is removed by hand: kubectl delete",
        )
    return _wished(documents[0])


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


def _resource(wished: dict[str, object]) -> Resource:
    metadata = wished["metadata"]
    if not isinstance(metadata, dict):
        raise UsageError("the object before the run has no metadata")
    return Resource(
        api=str(wished.get("apiVersion")),
        kind=str(wished.get("kind")),
        name=str(metadata.get("name")),
        namespace=str(metadata.get("namespace", "default")),
    )
