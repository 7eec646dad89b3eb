"""The clusters that the harness keeps: finding them, looking at them, ending them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ClusterError, UsageError
from harness.ports import Clock
from harness.timing.clock import SystemClock
from infra.clusters.command import find_program
from infra.clusters.embedded import running_instance
from infra.clusters.embedded_process import LOG_FILE, ServerInfo, end, starting
from infra.clusters.errors import DeletionRefused
from infra.clusters.identity import cluster_uid
from infra.clusters.images import Docker
from infra.clusters.kind_cli import Kind
from infra.clusters.kind_config import host_ports, shipped_config
from infra.clusters.kind_create import Workshop, node_carries
from infra.clusters.state import ClusterFolder, CreatedCluster, remembered, remembered_folders
from infra.clusters.teardown import refuse_unless_safe
from infra.kube import KubernetesClient


@dataclass(frozen=True, slots=True)
class KindTools:
    """The programs by which a kind cluster is looked at and deleted."""

    kind: Kind
    docker: Docker

    @classmethod
    def found(cls) -> KindTools:
        """Those of this machine.

        Errors:
            ToolMissing: one is not here.
        """
        return cls(Kind(find_program("kind", variable="KIND_BIN")), Docker.on_path())


@dataclass(frozen=True, slots=True)
class Kept:
    """A remembered cluster."""

    folder: ClusterFolder
    record: CreatedCluster

    @property
    def api(self) -> KubernetesClient:
        """Its API."""
        return KubernetesClient(Path(self.record.kubeconfig), self.record.context)

    @property
    def log(self) -> Path:
        """The embedded cluster's log file."""
        return self.folder.path / "data" / LOG_FILE


def kept_clusters(home: Path | None = None) -> tuple[tuple[Kept, ...], tuple[ClusterError, ...]]:
    """Every remembered cluster, and what is wrong with the records that cannot be read."""
    kept: list[Kept] = []
    broken: list[ClusterError] = []
    for folder in remembered_folders(home):
        try:
            if record := folder.record():
                kept.append(Kept(folder, record))
        except ClusterError as error:
            broken.append(error)
    return tuple(kept), tuple(broken)


def find_kept(name: str, *, provider: str | None = None, home: Path | None = None) -> Kept:
    """The remembered cluster of this name.

    Errors:
        UsageError: there is none, or there are several and no provider was named.
        ClusterError: its record cannot be understood; those of others do not matter.
    """
    found = [
        Kept(folder, record)
        for folder, record in remembered(home, name=name)
        if provider in (None, record.provider)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"there are {len(found)} clusters named {name}",
            mend="say which: --cluster " + " or ".join(kept.record.provider for kept in found),
        )
    names = ", ".join(folder.path.name for folder in remembered_folders(home)) or "none"
    raise UsageError(
        f"the harness keeps no cluster named {name}; it keeps: {names}",
        mend="vpm cluster up starts one; vpm cluster list shows what there is",
    )


def state_of(kept: Kept) -> str:
    """`running`, `stopped`, or `another cluster` when its context leads elsewhere by now."""
    try:
        uid = cluster_uid(kept.api)
    except ClusterError:
        return "stopped"
    return "running" if uid == kept.record.uid else "another cluster"


def server_of(kept: Kept) -> ServerInfo | None:
    """What an embedded cluster that runs says of itself."""
    found = running_instance(kept.folder.path / "data")
    return found[0] if found else None


def gateway_of(kept: Kept) -> tuple[str, int] | None:
    """Where the cluster's gateway should answer, as far as that is known."""
    if kept.record.provider == "kind":
        ports = host_ports(shipped_config())
        return ports.address, int(kept.record.details.get("http_port", ports.http))
    server = server_of(kept)
    return (server.gateway.host, server.gateway.http_port) if server else None


def delete_kept(
    kept: Kept,
    *,
    confirm: str | None = None,
    progress: Callable[[str], None] = lambda _line: None,
    clock: Clock | None = None,
    tools: KindTools | None = None,
) -> None:
    """Delete a remembered cluster after looking at what lives on it.

    What is looked at is what will be deleted: kind itself says where its cluster answers.

    Errors:
        DeletionRefused: it is in use, or another one, or carries what must not be lost, or
            does not run, so that nobody can see what it carries.
    """
    record = kept.record
    with kept.folder.locked() as free:
        if not free:
            raise DeletionRefused(
                f"{record.name} is in use by another run", mend="wait for that run to end"
            )
        _require_own_folder(kept)
        if record.provider == "kind":
            _delete_kind(kept, tools or KindTools.found(), confirm, progress)
        else:
            _refuse(kept.api, record, confirm)
            progress(f"deleting the {record.provider} cluster {record.name}")
            _end_embedded(kept, clock or SystemClock())
        kept.folder.forget()


def _require_own_folder(kept: Kept) -> None:
    """A record is about the cluster of its folder, or somebody wrote it who should not have."""
    record, path = kept.record, kept.folder.path
    inside = Path(record.kubeconfig).resolve().is_relative_to(path.resolve())
    if (record.provider, record.name) != (path.parent.name, path.name) or not inside:
        raise DeletionRefused(
            f"the record in {path} is about another cluster: {record.provider} {record.name} "
            f"with {record.kubeconfig}",
            mend=f"look at it, and remove it if it is wrong: rm {path / 'created.json'}",
        )


def _refuse(api: KubernetesClient, record: CreatedCluster, confirm: str | None) -> None:
    """Refuse unless the living cluster is the recorded one, or does not run and is confirmed."""
    if _answers(api):
        refuse_unless_safe(api, record, confirm=confirm)
    elif confirm != record.uid:
        raise DeletionRefused(
            f"{record.name} does not run, so what it carries cannot be seen",
            mend=f"start it (vpm cluster up {record.name}), or: --confirm {record.uid}",
        )


def _answers(api: KubernetesClient) -> bool:
    try:
        return bool(cluster_uid(api))
    except ClusterError:
        return False


def _delete_kind(
    kept: Kept, tools: KindTools, confirm: str | None, progress: Callable[[str], None]
) -> None:
    record = kept.record
    if record.name not in tools.kind.clusters():
        progress(f"the kind cluster {record.name} is gone already")
        return
    with tempfile.TemporaryDirectory(prefix="vpm-kind-") as place:
        own = Path(place) / "kubeconfig"
        try:
            tools.kind.export_kubeconfig(record.name, own)
            api = KubernetesClient(own, record.context)
        except ClusterError:
            api = kept.api  # A stopped node has none to give, and does not answer either.
        _refuse(api, record, confirm)
        if not _answers(api) and not node_carries(tools.docker, record.name, record.owner):
            raise DeletionRefused(
                f"{record.name} does not run, and its node does not carry the token "
                f"{record.owner} of the cluster that the harness created",
                mend=f"if nobody needs it: kind delete cluster --name {record.name}",
            )
    progress(f"deleting the kind cluster {record.name}")
    tools.kind.delete(record.name, kubeconfig=Path(record.kubeconfig))


def clear_interrupted(
    name: str,
    *,
    home: Path | None = None,
    tools: KindTools | None = None,
    progress: Callable[[str], None] = lambda _line: None,
) -> bool:
    """Remove what a creation of a kind cluster left that was cut off; whether there was one.

    Errors:
        ToolMissing: kind or docker is not here. DeletionRefused, ClusterError: as
        `Workshop.clear_interrupted` says.
    """
    folder = ClusterFolder.of("kind", name, home=home)
    if folder.record() or folder.intent() is None:
        return False
    own = tools or KindTools.found()
    workshop = Workshop(own.kind, KubernetesClient, SystemClock(), progress, docker=own.docker)
    with folder.locked() as free:
        if not free:
            raise DeletionRefused(
                f"{name} is being created by another run", mend="wait for that run to end"
            )
        workshop.clear_interrupted(folder, name)
    return True


def cancel_start(
    name: str,
    *,
    home: Path | None = None,
    progress: Callable[[str], None] = lambda _line: None,
    clock: Clock | None = None,
) -> bool:
    """End an embedded cluster that another run is starting; whether there was one.

    That run sees its server end, removes what there is of it, and fails.
    """
    folder = ClusterFolder.of("embedded", name, home=home)
    state = folder.path / "data"
    if folder.record() or not state.is_dir():
        return False
    serving = running_instance(state)  # and the run is about to write its record
    process = serving[1] if serving else starting(state)
    if process is None:
        return False
    progress(f"ending the embedded cluster {name}, which is being started")
    end(process, clock=clock or SystemClock())
    with folder.locked(wait=True):  # until that run has ended too
        if folder.record() is None:
            shutil.rmtree(state, ignore_errors=True)
    return True


def _end_embedded(kept: Kept, clock: Clock) -> None:
    state = kept.folder.path / "data"
    if found := running_instance(state):
        end(found[1], clock=clock)
    shutil.rmtree(state, ignore_errors=True)
