"""Resolution of image tags to digests, one revision at a time, away from its reconciliation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from infra.embedded.controllers.runtime.controller import Key
from infra.embedded.kubelet.images import ImageError
from infra.embedded.store import Obj

FIRST_RETRY = 1.0  # cluster seconds, doubled by each failure


class ImageResolver(Protocol):
    """Who knows the digests of images."""

    def resolve(self, image: str) -> str:
        """`sha256:...`; raises ImageError in the registry's words."""
        ...


@dataclass(frozen=True, slots=True)
class Resolution:
    """What came out: the status entries per container, or why not."""

    containers: tuple[Obj, ...] = ()
    init_containers: tuple[Obj, ...] = ()
    error: str = ""


def registry_of(image: str) -> str:
    """The registry an image comes from; Docker's own where none is named."""
    head, slash, _ = image.partition("/")
    named = slash and ("." in head or ":" in head or head == "localhost")
    return head if named else "index.docker.io"


def pinned(image: str, digest: str) -> str:
    """The image's name with the digest in place of its tag."""
    path, slash, last = image.rpartition("/")
    repository = path + slash + last.partition(":")[0]
    if registry_of(image) == "index.docker.io" and not image.startswith("index.docker.io/"):
        bare = repository.removeprefix("docker.io/")
        repository = f"index.docker.io/{bare if '/' in bare else 'library/' + bare}"
    return f"{repository}@{digest}"


def resolve(revision: Obj, images: ImageResolver, skipped: frozenset[str]) -> Resolution:
    """Resolve all images of a revision; those of skipped registries stay as they are."""
    try:
        return Resolution(
            tuple(_entry(c, images, skipped) for c in revision["spec"]["containers"]),
            tuple(_entry(c, images, skipped) for c in revision["spec"].get("initContainers", ())),
        )
    except _Unresolved as unresolved:
        return Resolution(error=str(unresolved))


class _Unresolved(Exception):
    pass


def _entry(container: Obj, images: ImageResolver, skipped: frozenset[str]) -> Obj:
    image = container["image"]
    if registry_of(image) in skipped:
        return {"name": container["name"]}
    if "@" in image:
        return {"name": container["name"], "imageDigest": image}
    try:
        digest = images.resolve(image)
    except ImageError as error:
        raise _Unresolved(
            f'Unable to fetch image "{image}": failed to resolve image to digest: {error}'
        ) from error
    return {"name": container["name"], "imageDigest": pinned(image, digest)}


class Digests:
    """Resolutions that were asked for; each is handed out once."""

    def __init__(self, images: ImageResolver, enqueue: Callable[[Key], None]) -> None:
        """`enqueue` asks for a revision to be reconciled again when its resolution is there."""
        self._images, self._enqueue = images, enqueue
        self._asked: set[Key] = set()

    def take(self, key: Key, revision: Obj, skipped: frozenset[str]) -> Resolution | None:
        """The resolution, if it was asked for before; else it is asked for now."""
        if key in self._asked:
            self._asked.discard(key)
            return resolve(revision, self._images, skipped)
        self._asked.add(key)
        self._enqueue(key)
        return None

    def forget(self, key: Key) -> None:
        self._asked.discard(key)
