"""A machine with kind as far as it is documented: a stand-in and a fake cluster behind it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.ports import ClusterRequest
from infra.clusters.images import Docker
from infra.clusters.kind import KindDriver
from infra.knative.catalogue import load_catalogue
from infra.knative.install import Installer
from tests.support.api_server import ApiServer
from tests.support.fake_install import FakeKubectl, RecordingClock, gateway, write_manifests
from tests.support.fake_kube import FakeKube
from tests.support.standin import Call, calls, install

IMAGE = load_catalogue().node_images["0.29"]
CREATED = (
    'Creating cluster "vpm-mini" ...\n'
    " ✓ Ensuring node image (kindest/node:v1.33.1) 🖼\n"
    " ✓ Preparing nodes 📦\n"
    " ✓ Ready after 20s 💚\n"
    'Set kubectl context to "kind-vpm-mini"\n'
)


def documented(kubeconfig: str, *, version: str = "0.29.0") -> list[Call]:
    """What kind answers for one cluster's life; nothing else is accepted."""
    create = ("create", "cluster", "--name=vpm-mini", "--kubeconfig={file}", f"--image={IMAGE}")
    return [
        Call(("version",), stdout=f"kind v{version} go1.24.2 linux/amd64\n"),
        Call(("get", "clusters"), stdout="vpm-mini\n", when="created"),
        Call(("get", "clusters"), stderr="No kind clusters found.\n"),
        Call(
            (*create, "--config", "{config}", "--wait=300s"),
            stderr=CREATED,
            then="created",
            kubeconfig=kubeconfig,
        ),
        Call(
            ("export", "kubeconfig", "--name=vpm-mini", "--kubeconfig={file}"),
            when="created",
            kubeconfig=kubeconfig,
        ),
        Call(
            ("delete", "cluster", "--name=vpm-mini", "--kubeconfig={file}"),
            stderr='Deleting cluster "vpm-mini" ...\n',
            when="created",
            then="deleted",
        ),
    ]


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Machine:
    """The stand-ins' folder, the fake cluster, and a driver that uses them."""

    folder: Path
    kube: FakeKube
    server: ApiServer
    stack: contextlib.ExitStack
    port: int
    transcript: list[Call]
    lines: list[str] = field(default_factory=list)
    https_port: int = field(default_factory=free_port)

    def driver(
        self, *, transcript: Sequence[Call] = (), docker: Docker | None = None
    ) -> KindDriver:
        """A driver whose kind plays the transcript."""
        program = install(self.folder / "bin", "kind", [*transcript, *self.transcript])
        installer = Installer(
            kubectl=lambda _kubeconfig, _context: FakeKubectl(self.kube),
            manifests=write_manifests(self.folder / "manifests"),
            progress=self.lines.append,
            clock=RecordingClock(),
        )
        return KindDriver(
            kind=program,
            progress=self.lines.append,
            chosen_because="a test asks for it",
            home=self.folder / "home",
            installer=installer,
            docker=docker,
        )

    def request(self, **changes: object) -> ClusterRequest:
        """A request whose gateway is a port that is free until the NodePorts are set."""
        options = {"http-port": str(self.port), "https-port": str(self.https_port)}
        base = ClusterRequest(name="vpm-mini", keep="always", options=options)
        return replace(base, **changes)  # type: ignore[arg-type]

    @property
    def kind_calls(self) -> list[list[str]]:
        """Every call of kind so far."""
        return calls(self.folder / "bin", "kind")

    def open_gateway(self, verb: str, name: str) -> None:
        """kourier answers on the host's port once its Service has the NodePorts."""
        if (verb, name) == ("patch", "Service/kourier"):
            self.stack.enter_context(gateway(self.port))
