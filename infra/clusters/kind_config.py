"""kind's configuration: the shipped file with what a request overrides; and node images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

from harness.core.errors import UsageError
from infra.clusters.errors import VersionSkew
from infra.clusters.owner import OWNER_LABEL
from infra.knative.catalogue import Catalogue, load_catalogue, version_tuple

HTTP_NODE_PORT: Final = 31080
HTTPS_NODE_PORT: Final = 31443
_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,48}[a-z0-9])?$")
_KIND_VERSION = re.compile(r"kind v(\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class HostPorts:
    """Ports of this machine that lead to the gateway's HTTP and HTTPS NodePorts."""

    address: str = "127.0.0.1"
    http: int = 80
    https: int = 443


@cache
def shipped_config() -> str:
    """The text of `infra/kind-dev/kind-cluster.yaml`."""
    return files("infra").joinpath("kind-dev", "kind-cluster.yaml").read_text("utf-8")


def shipped_name() -> str:
    """The name of the development cluster, defined in that file and nowhere else."""
    return str(yaml.safe_load(shipped_config())["name"])


def host_ports(text: str) -> HostPorts:
    """The host ports that a configuration maps to the gateway's NodePorts.

    Errors:
        UsageError: it maps none to one of them.
    """
    config = yaml.safe_load(text)
    mapped: dict[int, dict[str, Any]] = {
        mapping["containerPort"]: mapping
        for node in config.get("nodes") or ()
        for mapping in node.get("extraPortMappings") or ()
    }
    try:
        http, https = mapped[HTTP_NODE_PORT], mapped[HTTPS_NODE_PORT]
    except KeyError as error:
        raise UsageError(
            f"the kind configuration maps no host port to container port {error.args[0]}",
            mend="add it to extraPortMappings: the gateway's NodePort must be reachable",
        ) from error
    return HostPorts(str(http.get("listenAddress", "0.0.0.0")), http["hostPort"], https["hostPort"])


def render_config(name: str, ports: HostPorts, *, owner: str = "") -> str:
    """The shipped configuration for another name and other host ports; its node carries `owner`.

    Errors:
        UsageError: kind would not take the name.
    """
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} cannot be a kind cluster's name",
            mend="lower case letters, digits, - and . only, at most 50",
        )
    config = yaml.safe_load(shipped_config())
    config["name"] = name
    by_node_port = {HTTP_NODE_PORT: ports.http, HTTPS_NODE_PORT: ports.https}
    for mapping in config["nodes"][0]["extraPortMappings"]:
        mapping["hostPort"] = by_node_port[mapping["containerPort"]]
        mapping["listenAddress"] = ports.address
    if owner:
        config["nodes"][0]["labels"] = {OWNER_LABEL: owner}
    return yaml.safe_dump(config, sort_keys=False)


def node_image(
    kind_version: str, knative: str, *, asked: str = "", catalogue: Catalogue | None = None
) -> str:
    """The node image: the one asked for, else the default of this kind (`kind v0.27.0 ...`).

    Errors:
        VersionSkew: its Kubernetes is too old for this Knative, or kind itself is too old.
    """
    known = catalogue or load_catalogue()
    release = known.release(knative)
    image = asked or _default_image(kind_version, known)
    kubernetes = version_tuple(_tag(image))
    if kubernetes and kubernetes[:2] < version_tuple(release.kubernetes_minimum):
        raise VersionSkew(
            f"node image {image} is Kubernetes {'.'.join(map(str, kubernetes))}; Knative "
            f"{knative} needs {release.kubernetes_minimum} or later",
            mend="--kind-image kindest/node of a later version, for example "
            f"{without_digest(_oldest_sufficient(known, release.kubernetes_minimum))}",
        )
    return image


def _default_image(kind_version: str, catalogue: Catalogue) -> str:
    match = _KIND_VERSION.search(kind_version)
    version = match.group(1) if match else ""
    if version_tuple(version) < version_tuple(catalogue.kind_minimum):
        raise VersionSkew(
            f"{kind_version.strip() or 'this kind'} is too old: {catalogue.kind_minimum} or later",
            mend="install a newer kind, or name a node image that it supports: --kind-image",
        )
    older = [
        name for name in catalogue.node_images if version_tuple(name) <= version_tuple(version)
    ]
    return catalogue.node_images[max(older, key=version_tuple)]


def _oldest_sufficient(catalogue: Catalogue, minimum: str) -> str:
    images = sorted(catalogue.node_images.values(), key=lambda image: version_tuple(_tag(image)))
    wanted = version_tuple(minimum)
    return next((image for image in images if version_tuple(_tag(image))[:2] >= wanted), images[-1])


def _tag(image: str) -> str:
    return without_digest(image).rpartition(":")[2]


def without_digest(image: str) -> str:
    """The name of an image that came in an archive, which keeps tags and no digests."""
    return image.partition("@")[0]
