"""Where the manifests of an installation come from: a folder or bundle, the cache, the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from harness.core.errors import ClusterError, UsageError
from infra.clusters.state import state_home, write_atomically
from infra.knative.catalogue import Release
from infra.knative.digests import DigestLock, sha256

_LIMIT: Final = 50 * 1024 * 1024
_TIMEOUT: Final = 60.0
_FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One component's manifest, as it is applied. `origin` is a URL or a path."""

    component: str
    content: bytes
    sha256: str
    origin: str


@dataclass(frozen=True, slots=True)
class ManifestSource:
    """The manifests of one release.

    `folder` holds `<component>.yaml` and replaces the network; `images` maps image names to
    others, for clusters that cannot reach the original registry.
    """

    release: Release
    folder: Path | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    cache: Path | None = None
    fetch: Fetch | None = None

    def load(self, component: str) -> Manifest:
        """One component's manifest with mapped images; its digest is that of the original.

        Errors:
            UsageError: the folder does not hold it.
            ClusterError: it cannot be downloaded.
            DigestMismatch: it is not what was downloaded before.
        """
        content, origin = self._from_folder(component) or self._from_network(component)
        return Manifest(component, map_images(content, self.images), sha256(content), origin)

    def _from_folder(self, component: str) -> tuple[bytes, str] | None:
        if self.folder is None:
            return None
        path = self.folder / f"{component}.yaml"
        try:
            return path.read_bytes(), str(path)
        except OSError as error:
            raise UsageError(
                f"the manifests in {self.folder} are not complete: {error.strerror}: {path.name}",
                mend="it needs serving-crds.yaml, serving-core.yaml and kourier.yaml",
            ) from error

    def _from_network(self, component: str) -> tuple[bytes, str]:
        url = self.release.urls[component]
        cached = (self.cache or cache_home()) / self.release.serving / f"{component}.yaml"
        lock = DigestLock(state_home() / "knative" / "digests.json")
        if cached.exists():
            content = cached.read_bytes()
            lock.check(url, content)
        else:
            content = (self.fetch or download)(url)
            lock.check(url, content)
            write_atomically(cached, content.decode())
        return content, url


def cache_home() -> Path:
    """Where downloads are kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vpm" / "knative"


def download(url: str) -> bytes:
    """The content at a URL.

    Errors:
        ClusterError: there is no network, the answer is not 200, or it is too large.
    """
    import httpx

    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT) as response:
            response.raise_for_status()
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LIMIT:
                    raise ClusterError(f"{url} is larger than {_LIMIT} bytes")
            return bytes(content)
    except httpx.HTTPError as error:
        raise ClusterError(
            f"{url} cannot be downloaded: {error}",
            mend="check the network and proxy, or give the manifests: --bundle FOLDER",
        ) from error


def read_image_map(path: Path) -> Mapping[str, str]:
    """An image map: a YAML mapping from image names to the names to use instead.

    Errors:
        UsageError: it is not one.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as an image map: {error}") from error
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, str) for key, value in content.items()
    ):
        raise UsageError(f"{path} is not an image map", mend="lines of `IMAGE: OTHER-IMAGE`")
    return content


def map_images(content: bytes, images: Mapping[str, str]) -> bytes:
    """The manifest with every image of the map replaced, wherever its whole name stands.

    A name without tag and digest stands for every version of that image.
    """
    if not images:
        return content
    documents = [doc for doc in yaml.load_all(content, Loader=_FAST_LOADER) if doc is not None]
    return yaml.safe_dump_all([_mapped(document, images) for document in documents]).encode()


def images_of(contents: Iterable[bytes]) -> tuple[str, ...]:
    """Every image that the manifests name: in containers, and as the queue proxy's setting."""
    found: set[str] = set()
    for content in contents:
        for document in yaml.load_all(content, Loader=_FAST_LOADER):
            found |= set(_images_in(document))
    return tuple(sorted(found))


def repository_of(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name


def _mapped(value: Any, images: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(item, images) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, images) for item in value]
    if isinstance(value, str) and "/" in value and "\n" not in value:
        return images.get(value) or images.get(repository_of(value)) or value
    return value


def _images_in(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for item in value:
            yield from _images_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("image", "queue-sidecar-image") and isinstance(item, str):
                yield item
            else:
                yield from _images_in(item)
