"""A bundle: everything that a machine without a network needs, in one tar file.

bundle.json          what is in it, with digests; checked before anything is used
serving-crds.yaml, serving-core.yaml, kourier.yaml
image-map.yaml       original image names to the names in images.tar
images.tar           as `docker save` writes it
node.tar             the same for kind's node image
bin/                 programs
"""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import yaml

from harness.core.errors import UsageError
from infra.clusters.images import Docker
from infra.clusters.kind_config import without_digest
from infra.knative.catalogue import COMPONENTS
from infra.knative.digests import DigestMismatch, sha256_file
from infra.knative.manifests import ManifestSource, cache_home, images_of, repository_of

INDEX: Final = "bundle.json"
IMAGE_MAP: Final = "image-map.yaml"
IMAGES: Final = "images.tar"
NODE_IMAGE: Final = "node.tar"
HELLO_IMAGE: Final = "ghcr.io/knative/helloworld-go:latest"


@dataclass(frozen=True, slots=True)
class Index:
    """What a bundle holds: the release, each file's SHA-256, and each image's id.

    `node_image` is the name by which kind finds the node image after it was loaded.
    """

    knative: str
    files: Mapping[str, str]
    images: Mapping[str, str] = field(default_factory=dict)
    node_image: str = ""


def local_name(image: str, release: str) -> str:
    """The name of an image in a bundle.

    An image that is named by digest loses that name in an archive, and dev.local is not
    resolved by Knative: so each gets a plain tag there.
    """
    path = repository_of(image)
    head, slash, rest = path.partition("/")
    bare = rest if slash and ("." in head or ":" in head) else path
    return f"dev.local/{bare.replace('/', '-').lower()}:{release}"


def create_bundle(
    output: Path,
    source: ManifestSource,
    *,
    docker: Docker | None,
    images: Sequence[str] = (),
    node_image: str = "",
    programs: Sequence[Path] = (),
    progress: Callable[[str], None] = lambda _line: None,
) -> Index:
    """Write a bundle; without `docker` it holds no images.

    Errors:
        ClusterError: a manifest or an image cannot be fetched.
    """
    with tempfile.TemporaryDirectory(prefix="vpm-bundle-") as name:
        folder = Path(name)
        contents = {component: source.load(component).content for component in COMPONENTS}
        for component, content in contents.items():
            (folder / f"{component}.yaml").write_bytes(content)
        packed: Mapping[str, str] = {}
        if docker:
            wanted = images_of(contents.values())
            packed = _collect_images(folder, docker, wanted, images, source.release.name, progress)
            if node_image:
                progress(node_image)
                packed = {**packed, **_save_node(docker, node_image, folder)}
        for program in programs:
            (folder / "bin").mkdir(exist_ok=True)
            shutil.copy2(program, folder / "bin" / program.name)
        index = _write_index(
            folder,
            source.release.name,
            images=packed,
            node_image=without_digest(node_image) if docker else "",
        )
        output.parent.mkdir(parents=True, exist_ok=True)
        unfinished = output.with_name(f".{output.name}.part")
        with tarfile.open(unfinished, "w") as archive:
            for path in [folder / INDEX, *(folder / file for file in sorted(index.files))]:
                archive.add(path, arcname=str(path.relative_to(folder)))
        unfinished.replace(output)
        return index


def open_bundle(bundle: Path, folder: Path) -> Index:
    """Unpack a bundle into a folder that then serves as `--bundle`; every digest is checked.

    Errors:
        UsageError: it is not a bundle.
        DigestMismatch: a file is not what the bundle's index says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(bundle) as archive:
            for member in archive:
                _unpack(archive, member, folder)
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"{bundle} is not a bundle: {error}", mend="vpm bundle create") from error
    return check_bundle(folder)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one member; a bundle holds plain files below its folder and nothing else.

    `TarFile.extractall` has a filter for this only since Python 3.11.4.
    """
    if member.isdir():
        return
    path = PurePosixPath(member.name)
    content = archive.extractfile(member) if member.isreg() else None
    if content is None or path.is_absolute() or ".." in path.parts:
        raise tarfile.TarError(f"{member.name!r} is not a plain file below the bundle's folder")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # What was a link there would be written through.
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


def check_bundle(folder: Path) -> Index:
    """The index of an unpacked bundle, after its files were checked against it.

    Errors:
        UsageError: there is no index, or a file is missing.
        DigestMismatch: a file was changed.
    """
    try:
        data = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        index = Index(**data)
        for name, digest in index.files.items():
            if sha256_file(folder / name) != digest:
                raise DigestMismatch(f"{folder / name} was changed", mend="unpack the bundle again")
        added = sorted(_files_below(folder) - {INDEX, *index.files})
        if added:
            raise DigestMismatch(
                f"{folder / added[0]} was added: the bundle's index does not have it",
                mend="remove it, or unpack the bundle again into an empty folder",
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder} is not a whole bundle: {error}", mend="vpm bundle load BUNDLE --into FOLDER"
        ) from error
    return index


def _files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def bundle_folder(path: Path) -> Path:
    """The folder of a bundle: itself, or for a bundle file a folder in the cache.

    A folder without an index is somebody's own and is taken as it is.

    Errors:
        UsageError: there is no such file or folder, or it is not a bundle.
        DigestMismatch: a file is not what the bundle's index says.
    """
    if path.is_file():
        folder = cache_home() / "bundles" / sha256_file(path)
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            # Under its own name only when it is whole.
            with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
                open_bundle(path, Path(unfinished) / "bundle")
                (Path(unfinished) / "bundle").rename(folder)
            return folder
    elif path.is_dir():
        folder = path
    else:
        raise UsageError(f"there is no bundle {path}", mend="vpm bundle create")
    if (folder / INDEX).exists():
        check_bundle(folder)
    return folder


def _collect_images(
    folder: Path,
    docker: Docker,
    wanted: Sequence[str],
    extra: Sequence[str],
    release: str,
    progress: Callable[[str], None],
) -> Mapping[str, str]:
    names = {image: local_name(image, release) for image in wanted}
    for number, (image, name) in enumerate(names.items(), 1):
        progress(f"[{number}/{len(names)}] {image}")
        if not docker.has(image):
            docker.pull(image)
        docker.tag(image, name)
    (folder / IMAGE_MAP).write_text(yaml.safe_dump(names), encoding="utf-8")
    return _save(docker, [*names.values(), *extra], folder / IMAGES)


def _save_node(docker: Docker, image: str, folder: Path) -> Mapping[str, str]:
    """Save kind's node image by its tag: an archive does not keep the digest in a name."""
    name = without_digest(image)
    if not docker.has(image):
        docker.pull(image)
    if name != image:
        docker.tag(image, name)
    return _save(docker, [name], folder / NODE_IMAGE)


def _save(docker: Docker, images: Sequence[str], archive: Path) -> Mapping[str, str]:
    """Write images into an archive; returns their ids by name."""
    for image in images:
        if not docker.has(image):
            docker.pull(image)
    docker.save(images, archive)
    return {image: docker.image_id(image) for image in images}


def _write_index(
    folder: Path, release: str, *, images: Mapping[str, str], node_image: str
) -> Index:
    files = {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    index = Index(knative=release, files=files, images=images, node_image=node_image)
    (folder / INDEX).write_text(json.dumps(asdict(index), indent=2), encoding="utf-8")
    return index
