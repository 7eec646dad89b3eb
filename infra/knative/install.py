"""Bootstrap as a driver's tool: it has everything but the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from harness.ports import Clock, Kubectl
from harness.timing.clock import SystemClock
from infra.clusters.identity import ClusterApi
from infra.clusters.kubeconfig import PinnedContext
from infra.knative.bootstrap import Site, Wanted, bootstrap
from infra.knative.bundle import (
    IMAGE_MAP,
    IMAGES,
    INDEX,
    NODE_IMAGE,
    Index,
    bundle_folder,
    check_bundle,
)
from infra.knative.catalogue import load_catalogue
from infra.knative.digests import sha256_file
from infra.knative.manifests import ManifestSource, read_image_map


@lru_cache(maxsize=8)
def _opened(path: Path) -> tuple[Path, Index | None]:
    """A bundle's folder and index. It is checked once: hashing gigabytes takes seconds."""
    folder = bundle_folder(path)
    return folder, check_bundle(folder) if (folder / INDEX).exists() else None


KubectlFor = Callable[[Path, str], Kubectl]
"""Makes a kubectl that is pinned to a kubeconfig and a context."""


@dataclass(frozen=True, slots=True)
class Installer:
    """Installs a Knative release on a cluster.

    `manifests` is a bundle, or a folder of manifests, that replaces the network; `images` maps
    image names to others, after the bundle's own map.
    """

    kubectl: KubectlFor
    manifests: Path | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    progress: Callable[[str], None] = lambda _line: None
    clock: Clock = field(default_factory=SystemClock)

    @property
    def archive(self) -> Path | None:
        """The images that a bundle brings for the node, if it brings any."""
        archive = _opened(self.manifests)[0] / IMAGES if self.manifests else None
        return archive if archive and archive.exists() else None

    @property
    def archive_digest(self) -> str:
        """The SHA-256 of that archive; empty when there is none."""
        archive = self.archive
        if self.manifests is None or archive is None:
            return ""
        index = _opened(self.manifests)[1]
        return index.files[IMAGES] if index else sha256_file(archive)

    @property
    def node_archive(self) -> tuple[str, Path] | None:
        """The node image that a bundle brings, if it brings one: its name and its archive."""
        folder, index = _opened(self.manifests) if self.manifests else (None, None)
        if folder is None or index is None or not index.node_image:
            return None
        return index.node_image, folder / NODE_IMAGE

    def install(
        self, api: ClusterApi, pinned: PinnedContext, *, knative: str, wanted: Wanted
    ) -> int:
        """Bring the cluster to what is wanted; returns how many steps changed something.

        Errors:
            UsageError: the version is not in the catalogue.
            ClusterError: as `infra.knative.bootstrap.bootstrap` says.
        """
        release = load_catalogue().release(knative)
        folder = _opened(self.manifests)[0] if self.manifests else None
        packed = folder / IMAGE_MAP if folder else None
        images = {**(read_image_map(packed) if packed and packed.exists() else {}), **self.images}
        site = Site(
            api=api,
            kubectl=self.kubectl(pinned.kubeconfig, pinned.context),
            source=ManifestSource(release, folder=folder, images=images),
            wanted=wanted,
            clock=self.clock,
        )
        if not release.supported:
            self.progress(f"Knative {knative} is installed without a promise: it is not checked")
        return bootstrap(site, progress=self.progress)
