"""The driver of kind: a real cluster in a container, created once and reused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from harness.core.errors import ClusterError
from harness.ports import Clock, Cluster, ClusterRequest, Gateway
from harness.timing.clock import SystemClock
from infra.clusters.errors import GatewayUnreachable, NodeNotReady
from infra.clusters.gateway import answers
from infra.clusters.identity import cluster_uid, configured_domain, read_identity
from infra.clusters.images import Docker, build_metrics_echo
from infra.clusters.kind_cli import Kind
from infra.clusters.kind_config import HTTP_NODE_PORT, HTTPS_NODE_PORT, HostPorts
from infra.clusters.kind_create import PROVIDER, Connect, Workshop, control_plane
from infra.clusters.kind_options import asked_ports, recorded_ports
from infra.clusters.kubeconfig import PinnedContext
from infra.clusters.preflight import check_serving
from infra.clusters.state import ClusterFolder, CreatedCluster
from infra.clusters.teardown import refuse_unless_safe
from infra.knative.bootstrap import DEFAULT_DOMAIN, Wanted
from infra.knative.install import Installer
from infra.kube import KubernetesClient

AGENT_IMAGE: Final = "dev.local/metrics-echo:dev"
CAPABILITIES: Final = frozenset({"in-cluster", "node", "logs", "exec", "scale-to-zero"})


class KindDriver:
    """Implements `harness.ports.ClusterDriver` with kind through pytest-kind's KindCluster."""

    provider = PROVIDER

    def __init__(
        self,
        *,
        kind: Path,
        progress: Callable[[str], None] = lambda _line: None,
        chosen_because: str = "",
        home: Path | None = None,
        clock: Clock | None = None,
        connect: Connect = KubernetesClient,
        installer: Installer | None = None,
        docker: Docker | None = None,
    ) -> None:
        self._kind = Kind(kind)
        self._progress = progress
        self._chosen_because = chosen_because
        self._home = home
        self._connect = connect
        self._installer = installer
        self._docker = docker
        self._workshop = Workshop(
            self._kind, connect, clock or SystemClock(), progress, installer, docker
        )

    @contextmanager
    def open(self, request: ClusterRequest) -> Iterator[Cluster]:
        """Create the cluster (or find it) with Knative on it; keep=never deletes it again.

        A cluster of this name that the harness did not create is used, never deleted, and
        bootstrapped only when the request says so. What a creation left that was cut off is
        removed first.

        Errors:
            UsageError: an option that this provider does not have, or that the cluster is not.
            ClusterError: one of `infra.clusters.errors`.
        """
        ports = asked_ports(request)
        folder = ClusterFolder.of(PROVIDER, request.name, home=self._home)
        with ExitStack() as stack:
            with folder.locked(wait=True):  # Only one run at a time creates or bootstraps.
                self._workshop.clear_interrupted(folder, request.name)
                if request.name not in self._kind.clusters():
                    self._workshop.create(folder, request, ports)
                    stack.push(partial(self._end, folder, request.keep))
                elif record := self._known(folder):
                    ports = recorded_ports(request, record)
                cluster = self._ready(folder, request, ports)
            yield cluster

    def diagnostics(self, cluster: Cluster, folder: Path) -> None:
        """Write the nodes' logs into `folder`."""
        self._kind.export_logs(cluster.identity.name, folder / "kind")

    def _known(self, folder: ClusterFolder) -> CreatedCluster | None:
        """The record of the cluster that is there; one of another cluster is dropped.

        Errors:
            NodeNotReady: its node is stopped. Unreachable: it does not answer.
        """
        record = folder.record()
        if record is None:
            return None
        api = self._connect(Path(record.kubeconfig), record.context)
        try:
            uid = cluster_uid(api)
        except ClusterError:
            self._require_running(record.name)
            # Somebody may have put another cluster in its place, with other credentials.
            self._kind.export_kubeconfig(record.name, Path(record.kubeconfig))
            uid = cluster_uid(self._connect(Path(record.kubeconfig), record.context))
        if uid == record.uid:
            return record
        self._progress(
            f"the kind cluster {record.name} is not the one that the harness created "
            f"({uid}, not {record.uid}): it is used as it is"
        )
        folder.forget()
        return None

    def _require_running(self, name: str) -> None:
        node = control_plane(name)
        status = self._docker.status(node) if self._docker else ""
        if status not in ("", "running"):
            raise NodeNotReady(
                f"the node {node} of the kind cluster {name} is {status}",
                mend=f"docker start {node}, and the same command again",
            )

    def _end(self, folder: ClusterFolder, keep: str, failed: object, *_details: object) -> None:
        """Delete what this run created, unless somebody has put something on it meanwhile."""
        record = folder.record()
        if record is None or keep == "always" or (keep == "on-failure" and failed):
            return
        kubeconfig = Path(record.kubeconfig)
        api = self._connect(kubeconfig, record.context)
        try:
            refuse_unless_safe(api, record, confirm=None, made_by_this_run=True)
        except ClusterError as error:
            self._progress(f"the cluster is kept: {error}")
            return
        self._progress(f"deleting the kind cluster {record.name}")
        self._kind.delete(record.name, kubeconfig=kubeconfig)
        folder.forget()

    def _with_archive(self, folder: ClusterFolder, record: CreatedCluster) -> CreatedCluster:
        """The record once the node has the images that a bundle brings."""
        archive = self._installer.archive if self._installer else None
        digest = self._installer.archive_digest if self._installer else ""
        if archive is None or record.details.get("images") == digest:
            return record
        self._progress(f"loading {archive} into the node")
        self._kind.load_archive(record.name, archive)
        updated = replace(record, details={**record.details, "images": digest})
        folder.remember(updated)
        return updated

    def _with_image(
        self, folder: ClusterFolder, record: CreatedCluster, docker: Docker
    ) -> CreatedCluster:
        """The record once the node has metrics-echo as it is in this version of the sources."""
        names = build_metrics_echo(docker)
        if record.details.get("metrics_echo") == names[-1]:
            return record
        self._progress(f"loading {names[-1]} into the node")
        for name in names:
            self._kind.load_image(record.name, name)
        updated = replace(record, details={**record.details, "metrics_echo": names[-1]})
        folder.remember(updated)
        return updated

    def _ready(self, folder: ClusterFolder, request: ClusterRequest, ports: HostPorts) -> Cluster:
        """The cluster with everything on it, proven by an answer of its gateway."""
        pinned = PinnedContext(folder.path / "kubeconfig", f"kind-{request.name}")
        record = folder.record()
        if record is None:
            self._kind.export_kubeconfig(request.name, pinned.kubeconfig)
        else:
            record = self._with_archive(folder, record)
        api = self._connect(pinned.kubeconfig, pinned.context)
        if self._installer and (record is not None or request.bootstrap):
            wanted = Wanted(
                domain=request.domain or DEFAULT_DOMAIN,
                node_ports={80: HTTP_NODE_PORT, 443: HTTPS_NODE_PORT},
                gateway_answers=lambda: answers(ports.address, ports.http),
            )
            self._installer.install(api, pinned, knative=request.knative, wanted=wanted)
        if record is not None and self._docker:
            record = self._with_image(folder, record, self._docker)
        identity = read_identity(
            api,
            provider=PROVIDER,
            name=request.name,
            context=pinned.context,
            chosen_because=self._chosen_because,
            details=record.details if record else {},
        )
        check_serving(api, identity, gateway_given=False)
        problem = answers(ports.address, ports.http)
        if problem:
            raise GatewayUnreachable(
                f"the gateway does not answer at {ports.address}:{ports.http}: {problem}",
                mend="compare kourier's NodePorts with kind's port mappings: vpm doctor",
            )
        return Cluster(
            identity=identity,
            kubeconfig=pinned.kubeconfig,
            context=pinned.context,
            gateway=Gateway(ports.address, ports.http, ports.https),
            domain=request.domain or configured_domain(api),
            capabilities=CAPABILITIES | ({"owned"} if record else set()),
            agent_image=AGENT_IMAGE,
        )
