"""Dry: what a contract would do, shown without touching inbox or cluster."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.command import apply_arguments, read_arguments
from harness.contracts.model import Contract, Manifest, digest
from harness.contracts.strict_json import text_of
from harness.runner.apply import DIFF, ManifestRun
from harness.runner.execution import AFTER, BEFORE, Job
from harness.runner.files import read_once
from harness.runner.folder import Console, RunFolder
from harness.runner.objects import live_objects
from harness.runner.preflight import check_cluster

MAX_COMPARED = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Previewed:
    """What a preview found: the diff, and which of cluster and inbox were left as they were."""

    diff: str
    cluster_unchanged: bool


def preview(job: Job, *, console: Console, folder: RunFolder) -> Previewed:
    """Check the cluster, let the server compare, and log `[DRY]` for what would run.

    Errors:
        Stopped: the cluster is another one or refuses the manifest.
    """
    contract = job.contract
    _log_commands(contract, folder)
    check_cluster(contract, cluster=job.cluster, console=console, client=job.client)
    runs = [_run(job, action, console) for action in contract.manifests]
    before = [run.snapshot(kept=BEFORE) for run in runs]
    folder.write(BEFORE, "---\n".join(filter(None, before)))
    try:
        for run in runs:
            run.dry_run()
            run.compare()
    finally:
        diff = "".join(run.diff for run in runs)
        folder.write(DIFF, diff)
    after = [run.snapshot(kept=f"{BEFORE}, or {AFTER} if it changed") for run in runs]
    unchanged = [*map(_fingerprint, before)] == [*map(_fingerprint, after)]
    if not unchanged:
        folder.write(AFTER, "---\n".join(filter(None, after)))
    return Previewed(diff=diff, cluster_unchanged=unchanged)


def inbox_fingerprint(inbox: Path) -> str:
    """A hash over the names and contents of everything in the inbox."""
    summary = hashlib.sha256()
    for path in sorted(inbox.rglob("*")) if inbox.is_dir() else ():
        summary.update(os.fsencode(path.relative_to(inbox)) + b"\0" + _mark(path))
    return summary.hexdigest()


def _mark(path: Path) -> bytes:
    """What tells one state of a file from another; of a very large one that is not its content."""
    try:
        content = read_once(path, MAX_COMPARED)
        return digest(content).encode() + str(path.lstat().st_size).encode()
    except OSError:
        return b"no file"  # a folder, link or pipe; or another runner has taken it meanwhile


def _log_commands(contract: Contract, folder: RunFolder) -> None:
    namespace = contract.target.namespace
    for action in contract.actions:
        if isinstance(action, Manifest):
            arguments = apply_arguments(namespace, dry=action.verb == "diff")
            line = f"kubectl {' '.join(arguments)} < {action.manifest}"
        else:
            line = f"kubectl {' '.join(read_arguments(action, namespace=namespace))}"
        folder.log("DRY", line)


def _run(job: Job, action: Manifest, console: Console) -> ManifestRun:
    namespace = action.resource.namespace or job.contract.target.namespace
    return ManifestRun(action, job.reads[action.manifest], namespace, console)


def _fingerprint(snapshot: str) -> str:
    """A hash of what a person or a run could have changed: everything but the status.

    The controllers write the status at any time; resourceVersion follows it.
    """
    items = live_objects(snapshot)
    for item in items:
        item.pop("status", None)
        for volatile in ("resourceVersion", "managedFields"):
            item.get("metadata", {}).pop(volatile, None)
    return digest(text_of(items))
