"""kind's command line as the driver uses it, and what its failures mean."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.core.errors import ClusterError
from harness.ports import CommandResult
from infra.clusters.command import last_words, run_command
from infra.clusters.errors import (
    EngineUnavailable,
    ImageUnavailable,
    NodeNotReady,
    PortTaken,
    ResourcesExhausted,
    ToolMissing,
)

_CREATE_TIMEOUT: Final = 900.0
_TIMEOUT: Final = 60.0
# To tell its version kind asks nobody else.
_VERSION_TIMEOUT: Final = 5.0
_VERSION: Final = re.compile(r"kind v?[0-9]+\.[0-9]+[\x20-\x7e]{0,100}")
_NODE_WAIT: Final = "300s"

# What kind and docker print -> what it is -> what to do.
_FAILURES: Final[tuple[tuple[str, type[ClusterError], str], ...]] = (
    (r"annot connect to the Docker daemon|docker daemon running", EngineUnavailable,
     "start the engine: sudo systemctl start docker"),
    (r"permission denied.*docker.*sock", EngineUnavailable,
     "let this user speak to the engine: sudo usermod -aG docker $USER, then log in again"),
    (r"Delegate=yes|cgroup.*(delegat|controller)", EngineUnavailable,
     "a rootless engine must be allowed cgroups: kind.sigs.k8s.io/docs/user/rootless"),
    (r"privileged port|bind: permission denied", PortTaken,
     "a rootless engine cannot bind ports below 1024: --http-port 8080 --https-port 8443, or "
     "sudo sysctl net.ipv4.ip_unprivileged_port_start=80"),
    (r"port is already allocated|address already in use|ports are not available", PortTaken,
     "end what uses the port, or take others: --http-port, --https-port"),
    (r"content digest \S+: not found", ImageUnavailable,
     "the engine has a part of this image only: docker image rm IMAGE, and the same command again"),
    (r"failed to pull image|manifest unknown|pull access denied|toomanyrequests|no such host",
     ImageUnavailable, "check the network and the image's name, or load a bundle: vpm bundle load"),
    (r"no space left on device", ResourcesExhausted, "free disk space: docker system prune"),
    (r"too many open files|inotify", ResourcesExhausted,
     "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"),
    (r"timed out waiting|not ready|context deadline exceeded|failed to init node|wait-for-ready",
     NodeNotReady, "look at the node: kind export logs --name NAME; memory is the usual cause"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind executable."""

    program: Path

    def version(self) -> str:
        """What `kind version` prints.

        Errors:
            ClusterError: it does not run, or is some other program.
        """
        result = self._checked(["version"], "kind does not run", timeout=_VERSION_TIMEOUT)
        said = result.stdout.strip()
        if not _VERSION.fullmatch(said):
            raise ToolMissing(
                f"{self.program} is no kind: its version is {said[:60]!r}",
                mend="install kind, or name it in KIND_BIN",
            )
        return said

    def clusters(self, *, timeout: float = _TIMEOUT) -> tuple[str, ...]:
        """The names of kind's clusters on this machine."""
        result = self._checked(["get", "clusters"], "kind cannot list", timeout=timeout)
        return tuple(result.stdout.split())

    def export_kubeconfig(self, name: str, kubeconfig: Path) -> None:
        """Write the kubeconfig of a cluster that is already there."""
        argv = ["export", "kubeconfig", f"--name={name}", f"--kubeconfig={kubeconfig}"]
        self._checked(argv, f"kind cannot export the kubeconfig of {name}")

    def load_image(self, name: str, image: str) -> None:
        """Copy an image of the engine into the cluster's nodes."""
        argv = ["load", "docker-image", "--name", name, image]
        self._checked(argv, f"{image} cannot be loaded", timeout=_CREATE_TIMEOUT)

    def load_archive(self, name: str, archive: Path) -> None:
        """Copy the images of an archive into the cluster's nodes."""
        argv = ["load", "image-archive", "--name", name, str(archive)]
        self._checked(argv, f"{archive} cannot be loaded", timeout=_CREATE_TIMEOUT)

    def export_logs(self, name: str, folder: Path) -> None:
        """Write the nodes' logs into a folder."""
        self._checked(["export", "logs", "--name", name, str(folder)], "no logs", timeout=120)

    def create(self, name: str, *, kubeconfig: Path, image: str, config: Path) -> None:
        """Create the cluster through pytest-kind; `config` lies in the folder it works in."""
        shim = config.with_name("kind")
        # KindCluster has no parameter for --wait, so the kind that it calls adds it.
        quoted = shlex.quote(str(self.program))
        shim.write_text(
            f'#!/bin/sh\n[ "$1 $2" = "create cluster" ] && set -- "$@" --wait={_NODE_WAIT}\n'
            f'exec {quoted} "$@"\n',
            encoding="utf-8",
        )
        shim.chmod(0o700)
        self._through_pytest_kind(
            ["create", name, str(kubeconfig), str(shim), image, str(config)], config.parent
        )

    def delete(self, name: str, *, kubeconfig: Path) -> None:
        """Delete the cluster through pytest-kind."""
        self._through_pytest_kind(
            ["delete", name, str(kubeconfig), str(self.program)], kubeconfig.parent
        )

    def _through_pytest_kind(self, arguments: Sequence[str], folder: Path) -> None:
        if importlib.util.find_spec("pytest_kind") is None:
            raise ToolMissing(
                "pytest-kind is not installed", mend="pip install 'vpm-harness[kind]'"
            )
        module = "infra.clusters.kind_process"
        argv = [sys.executable, "-P", "-m", module, *arguments]
        result = run_command(argv, timeout=_CREATE_TIMEOUT, folder=folder)
        if result.exit_code != 0:
            raise explain(result, f"kind {arguments[0]} cluster {arguments[1]} failed")

    def _checked(
        self, arguments: Sequence[str], what: str, *, timeout: float = _TIMEOUT
    ) -> CommandResult:
        result = run_command([str(self.program), *arguments], timeout=timeout)
        if result.exit_code != 0:
            raise explain(result, what)
        return result


def explain(result: CommandResult, what: str) -> ClusterError:
    """The named error for what a failed command printed."""
    said = f"{result.stdout}\n{result.stderr}"
    words = f"{what}: {last_words(result)}"
    for pattern, error, mend in _FAILURES:
        if re.search(pattern, said):
            return error(words, mend=mend)
    if result.timed_out:
        return NodeNotReady(words, mend="look at the engine: docker ps; docker info")
    return ClusterError(words, mend="run `vpm doctor --cluster kind`")
