"""The driver of kind: a real cluster in a container, created once and reused."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from harness import __version__
from harness.core.errors import ClusterError, UsageError
from harness.ports import Clock, Cluster, ClusterRequest, Gateway
from harness.timing.clock import SystemClock
from infra.clusters.errors import GatewayUnreachable, PortTaken
from infra.clusters.gateway import answers
from infra.clusters.identity import ClusterApi, cluster_uid, configured_domain, read_identity
from infra.clusters.images import Docker, build_metrics_echo
from infra.clusters.kind_cli import Kind
from infra.clusters.kind_config import (
    HTTP_NODE_PORT,
    HTTPS_NODE_PORT,
    HostPorts,
    host_ports,
    node_image,
    render_config,
    shipped_config,
)
from infra.clusters.kubeconfig import PinnedContext
from infra.clusters.owner import label_owner
from infra.clusters.preflight import check_serving
from infra.clusters.state import ClusterFolder, CreatedCluster, write_atomically
from infra.clusters.teardown import refuse_unless_safe
from infra.knative.bootstrap import DEFAULT_DOMAIN, Wanted
from infra.knative.install import Installer
from infra.kube import KubernetesClient

PROVIDER: Final = "kind"
AGENT_IMAGE: Final = "dev.local/metrics-echo:dev"
CAPABILITIES: Final = frozenset({"in-cluster", "node", "logs", "exec", "scale-to-zero"})
_OPTIONS: Final = ("http-port", "https-port", "address", "image")

Connect = Callable[[Path, str], ClusterApi]


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
        self._clock = clock or SystemClock()
        self._connect = connect
        self._installer = installer
        self._docker = docker

    @contextmanager
    def open(self, request: ClusterRequest) -> Iterator[Cluster]:
        """Create the cluster (or find it) with Knative on it; keep=never deletes it again.

        A cluster of this name that the harness did not create is used, never deleted, and
        bootstrapped only when the request says so.

        Errors:
            UsageError: an option that this provider does not have.
            ClusterError: one of `infra.clusters.errors`.
        """
        ports = _ports(request)
        folder = ClusterFolder.of(PROVIDER, request.name, home=self._home)
        with ExitStack() as stack:
            with folder.locked(wait=True):  # Only one run at a time creates or bootstraps.
                if request.name not in self._kind.clusters():
                    self._create(folder, request, ports)
                    stack.push(partial(self._end, folder, request.keep))
                cluster = self._ready(folder, request, ports)
            yield cluster

    def diagnostics(self, cluster: Cluster, folder: Path) -> None:
        """Write the nodes' logs into `folder`."""
        self._kind.export_logs(cluster.identity.name, folder / "kind")

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

    def _create(self, folder: ClusterFolder, request: ClusterRequest, ports: HostPorts) -> None:
        image = node_image(
            self._kind.version(), request.knative, asked=request.options.get("image", "")
        )
        for port in (ports.http, ports.https):
            _require_free(ports.address, port)
        config = folder.path / "kind-cluster.yaml"
        write_atomically(config, render_config(request.name, ports))
        kubeconfig = folder.path / "kubeconfig"
        self._progress(f"creating the kind cluster {request.name} from {image}")
        try:
            self._kind.create(request.name, kubeconfig=kubeconfig, image=image, config=config)
            if self._installer and self._installer.archive:
                self._progress(f"loading {self._installer.archive} into the node")
                self._kind.load_archive(request.name, self._installer.archive)
            details = {"node_image": image, "http_port": str(ports.http)}
            folder.remember(self._mark(request.name, kubeconfig, details))
        except BaseException:
            # It was not there before, so what there is of it is ours, but nothing says so yet.
            with suppress(ClusterError):
                self._kind.delete(request.name, kubeconfig=kubeconfig)
            raise

    def _mark(self, name: str, kubeconfig: Path, details: dict[str, str]) -> CreatedCluster:
        """Label the new cluster as ours; returns what is to be remembered of it."""
        context = f"kind-{name}"
        api = self._connect(kubeconfig, context)
        owner = secrets.token_hex(8)
        label_owner(api, owner)
        return CreatedCluster(
            provider=PROVIDER,
            name=name,
            context=context,
            kubeconfig=str(kubeconfig),
            uid=cluster_uid(api),
            owner=owner,
            created_at=self._clock.now().isoformat(timespec="seconds"),
            harness_version=__version__,
            details=details,
        )

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


def _require_free(address: str, port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((address, port)) == 0:
            raise PortTaken(
                f"port {port} of {address} is in use, and the cluster's gateway needs it",
                mend=f"end what uses it (ss -ltnp 'sport = :{port}'), or take another: "
                "--http-port (pytest: --vpm-http-port)",
            )


def _ports(request: ClusterRequest) -> HostPorts:
    unknown = sorted(set(request.options) - set(_OPTIONS))
    if unknown:
        raise UsageError(
            f"kind has no option {', '.join(unknown)}", mend=f"it has: {', '.join(_OPTIONS)}"
        )
    shipped = host_ports(shipped_config())
    try:
        return HostPorts(
            address=request.options.get("address", shipped.address),
            http=int(request.options.get("http-port", shipped.http)),
            https=int(request.options.get("https-port", shipped.https)),
        )
    except ValueError as error:
        raise UsageError(f"a port is not a number: {error}") from error
