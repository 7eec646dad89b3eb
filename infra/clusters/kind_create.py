"""Creating a kind cluster so that, however it is cut off, its owner recognises what is left.

An intent is written down before, and the node carries its token from the first seconds on: kind
puts node labels into the kubeadm configuration that it copies into the node's container.
"""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import __version__
from harness.core.errors import ClusterError
from harness.ports import Clock, ClusterRequest
from infra.clusters.errors import DeletionRefused, PortTaken
from infra.clusters.identity import ClusterApi, cluster_uid
from infra.clusters.images import Docker
from infra.clusters.kind_cli import Kind
from infra.clusters.kind_config import HostPorts, node_image, render_config
from infra.clusters.owner import label_owner
from infra.clusters.state import ClusterFolder, CreatedCluster, Intent, write_atomically
from infra.clusters.teardown import look
from infra.knative.install import Installer

PROVIDER: Final = "kind"
_KUBEADM: Final = "/kind/kubeadm.conf"

Connect = Callable[[Path, str], ClusterApi]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What clusters are made with; without `docker` nothing can be said about containers."""

    kind: Kind
    connect: Connect
    clock: Clock
    progress: Callable[[str], None]
    installer: Installer | None = None
    docker: Docker | None = None

    def create(self, folder: ClusterFolder, request: ClusterRequest, ports: HostPorts) -> None:
        """Create the cluster and remember it; a creation that fails leaves nothing.

        Errors:
            ClusterError: one of `infra.clusters.errors`.
        """
        image = self._image(request)
        for port in (ports.http, ports.https):
            _require_free(ports.address, port)
        intent = Intent(secrets.token_hex(8), self.clock.now().isoformat(timespec="seconds"))
        folder.intend(intent)
        config = folder.path / "kind-cluster.yaml"
        write_atomically(config, render_config(request.name, ports, owner=intent.owner))
        kubeconfig = folder.path / "kubeconfig"
        self.progress(f"creating the kind cluster {request.name} from {image}")
        try:
            self.kind.create(request.name, kubeconfig=kubeconfig, image=image, config=config)
            details = {
                "node_image": image,
                "http_port": str(ports.http),
                "https_port": str(ports.https),
                "address": ports.address,
            }
            folder.remember(self._marked(request.name, kubeconfig, intent, details))
        except BaseException:
            # It was not there before, so what there is of it is ours.
            with suppress(ClusterError):
                self.kind.delete(request.name, kubeconfig=kubeconfig)
                folder.forget()
            raise

    def clear_interrupted(self, folder: ClusterFolder, name: str) -> None:
        """Remove what a creation left that was cut off, if it is the one that was intended.

        A cluster of this name that somebody else made meanwhile is left alone.

        Errors:
            ClusterError: nobody can tell whose it is.
            DeletionRefused: somebody has put something on it.
        """
        intent = folder.intent()
        if intent is None:
            return
        if name in self.kind.clusters() and self._made_with(intent, name):
            self._refuse_if_used(folder, name)
            self.progress(f"removing what an interrupted creation of {name} left")
            self.kind.delete(name, kubeconfig=folder.path / "kubeconfig")
        folder.forget()

    def _image(self, request: ClusterRequest) -> str:
        """The node image, brought into the engine where a bundle has it."""
        asked = request.options.get("image", "")
        packed = self.installer.node_archive if self.installer else None
        if packed and not asked and self.docker:
            asked, archive = packed
            if not self.docker.has(asked):
                self.progress(f"loading {archive} into the engine")
                self.docker.load(archive)
        return node_image(self.kind.version(), request.knative, asked=asked)

    def _marked(
        self, name: str, kubeconfig: Path, intent: Intent, details: dict[str, str]
    ) -> CreatedCluster:
        """Label the new cluster as ours; returns what is to be remembered of it."""
        context = f"kind-{name}"
        api = self.connect(kubeconfig, context)
        label_owner(api, intent.owner)
        return CreatedCluster(
            provider=PROVIDER,
            name=name,
            context=context,
            kubeconfig=str(kubeconfig),
            uid=cluster_uid(api),
            owner=intent.owner,
            created_at=intent.at,
            harness_version=__version__,
            details=details,
        )

    def _made_with(self, intent: Intent, name: str) -> bool:
        """Whether the node's container carries the intent's token."""
        carries = node_carries(self.docker, name, intent.owner)
        if carries is None:
            raise ClusterError(
                f"the creation of {name} at {intent.at} was cut off, and its node "
                f"{control_plane(name)} does not say whether it is the one that was left",
                mend=f"if nobody else is creating it now: kind delete cluster --name {name}",
            )
        return carries

    def _refuse_if_used(self, folder: ClusterFolder, name: str) -> None:
        try:
            living = look(self.connect(folder.path / "kubeconfig", f"kind-{name}"), ())
        except ClusterError:
            return  # It does not answer: nothing can have been put on it.
        if living.foreign:
            raise DeletionRefused(
                f"the creation of {name} was cut off, but it is in use:\n  - "
                + "\n  - ".join(f"foreign: {item}" for item in living.foreign),
                mend=f"if all of this may go: kind delete cluster --name {name}",
            )


def control_plane(name: str) -> str:
    """The container of the only node of the cluster `name`."""
    return f"{name}-control-plane"


def node_carries(docker: Docker | None, name: str, owner: str) -> bool | None:
    """Whether the node of the cluster `name`, running or not, was made with this owner's token.

    None when it does not say.
    """
    with tempfile.TemporaryDirectory(prefix="vpm-kind-") as place:
        copied = Path(place) / "kubeadm.conf"
        if docker is None or not docker.copy_out(control_plane(name), _KUBEADM, copied):
            return None
        return owner in copied.read_text(encoding="utf-8", errors="replace")


def _require_free(address: str, port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((address, port)) == 0:
            raise PortTaken(
                f"port {port} of {address} is in use, and the cluster's gateway needs it",
                mend=f"end what uses it (ss -ltnp 'sport = :{port}'), or take another: "
                "--http-port (pytest: --vpm-http-port)",
            )
