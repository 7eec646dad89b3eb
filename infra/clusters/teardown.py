"""May this cluster be deleted? A record must match the living cluster, and nothing be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import yaml

from harness.core.errors import UsageError
from harness.ports import JsonObject, KubeClient, ResourceKind
from infra.clusters.errors import DeletionRefused
from infra.clusters.identity import cluster_uid
from infra.clusters.owner import OUR_LABELS, OWNER_LABEL, owner_of
from infra.clusters.resources import (
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    KSERVICE,
    NAMESPACE,
    POD,
    STATEFUL_SET,
    dig,
    label_of,
    name_of,
    namespace_of,
)
from infra.clusters.state import CreatedCluster

_WORKLOADS: Final[tuple[ResourceKind, ...]] = (
    KSERVICE, DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, POD,
)  # fmt: skip
_SYSTEM: Final = frozenset(
    {
        "kube-system",
        "kube-public",
        "kube-node-lease",
        "local-path-storage",
        "knative-serving",
        "kourier-system",
    }
)


@dataclass(frozen=True, slots=True)
class Living:
    """What is seen of a cluster right before its deletion."""

    uid: str
    owner: str
    standing: tuple[str, ...]
    foreign: tuple[str, ...]


def objections(
    *, record: CreatedCluster, living: Living, confirm: str | None, made_by_this_run: bool = False
) -> tuple[str, ...]:
    """Why the cluster must not be deleted; empty when it may be. Pure.

    Another identity than the recorded one cannot be confirmed away. Foreign workloads and
    standing targets can, by the living cluster's UID. A run that created the cluster itself
    also put the standing targets there, so they do not stop it.
    """
    if living.uid != record.uid:
        return (f"its UID is {living.uid}, and the harness created {record.uid}",)
    if living.owner != record.owner:
        return (f"its label {OWNER_LABEL} is {living.owner or 'missing'}, not {record.owner}",)
    if confirm == living.uid:
        return ()
    found = [f"foreign: {item}" for item in living.foreign]
    if not made_by_this_run:
        found += [f"standing target: {item}" for item in living.standing]
    if confirm:
        found.insert(0, f"--confirm {confirm} is not its UID {living.uid}")
    return tuple(found)


def look(api: KubeClient, targets: Sequence[str]) -> Living:
    """Read what a deletion would destroy. `targets` are standing ones, as `namespace/name`."""
    services = {f"{namespace_of(item)}/{name_of(item)}" for item in api.list(KSERVICE)}
    return Living(
        uid=cluster_uid(api),
        owner=owner_of(api),
        standing=tuple(sorted(services & set(targets))),
        foreign=tuple(sorted([*_foreign_namespaces(api), *_foreign_workloads(api)])),
    )


def refuse_unless_safe(
    api: KubeClient,
    record: CreatedCluster,
    *,
    confirm: str | None,
    made_by_this_run: bool = False,
    targets: Sequence[str] | None = None,
) -> None:
    """Look at the cluster and refuse its deletion if there is an objection.

    Errors:
        DeletionRefused: the message lists the objections.
        ClusterError: it cannot be looked at, so nobody knows what would be lost.
    """
    living = look(api, standing_targets() if targets is None else targets)
    found = objections(
        record=record, living=living, confirm=confirm, made_by_this_run=made_by_this_run
    )
    if not found:
        return
    same = (living.uid, living.owner) == (record.uid, record.owner)
    raise DeletionRefused(
        f"{record.provider} cluster {record.name} is not deleted:\n  - " + "\n  - ".join(found),
        mend=f"if all of this may go: --confirm {living.uid}"
        if same
        else "this is not the cluster that the harness created; delete it with its own tools",
    )


def standing_targets(file: Path | None = None) -> tuple[str, ...]:
    """The standing targets of a file (default: the shipped `infra/k8s/targets.yaml`).

    Errors:
        UsageError: the file does not list targets.
    """
    source = file or files("infra").joinpath("k8s", "targets.yaml")
    try:
        entries = yaml.safe_load(source.read_text(encoding="utf-8"))["targets"]
        return tuple(f"{entry['namespace']}/{entry['name']}" for entry in entries)
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UsageError(
            f"{source} does not list standing targets: {error!r}",
            mend="targets: [{namespace: ..., name: ...}]",
        ) from error


def _ours(obj: JsonObject) -> bool:
    marked = any(label_of(obj, label) == value for label, value in OUR_LABELS)
    return marked or bool(label_of(obj, OWNER_LABEL))


def _foreign_namespaces(api: KubeClient) -> list[str]:
    return [
        f"Namespace {name_of(item)}"
        for item in api.list(NAMESPACE)
        if name_of(item) not in _SYSTEM | {"default"} and not _ours(item)
    ]


def _foreign_workloads(api: KubeClient) -> list[str]:
    return [
        f"{kind.kind} {namespace_of(item)}/{name_of(item)}"
        for kind in _WORKLOADS
        for item in api.list(kind)
        if namespace_of(item) not in _SYSTEM
        and not dig(item, "metadata", "ownerReferences")
        and not _ours(item)
    ]
