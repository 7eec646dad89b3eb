"""The image catalogue: which local processes stand for which images."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import yaml

BUILT_IN = Path(__file__).resolve().parents[1] / "images.yaml"
PACKAGE_ROOT = Path(__file__).resolve().parents[3]
PYTHON_BIN = str(Path(sys.executable).parent)
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Builtin = Literal["", "queue-proxy", "component", "absent"]
_KEYS = {"match", "command", "entry", "builtin", "env", "directory", "user", "files"}
_BUILTINS = ("queue-proxy", "component", "absent")


class CatalogueError(Exception):
    """A catalogue file that cannot be used; the message says where and why."""


class ImageError(Exception):
    """An image that cannot be pulled, in the words of the one who pulls.

    `resolving` is what the registry says when a tag is looked up, `pulling` what the container
    runtime says when it pulls.
    """

    def __init__(self, resolving: str, pulling: str) -> None:
        super().__init__(resolving)
        self.resolving = resolving
        self.pulling = pulling


@dataclass(frozen=True, slots=True)
class Image:
    """What stands for an image."""

    match: tuple[str, ...]
    command: tuple[str, ...] = ()
    entry: str = ""
    builtin: Builtin = ""
    env: Mapping[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: int | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hexadecimal digits: of what the image runs."""
        parts = [json.dumps([self.match, self.command, self.entry, dict(self.env)])]
        parts += [f"{target}={source}" for target, source in sorted(self.files.items())]
        return "sha256:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Catalogue:
    """Images by pattern, the first match wins; and the registries that can be asked for others."""

    def __init__(self, images: Iterable[Image], registries: Iterable[str] = ()) -> None:
        self._images = tuple(images)
        self._registries = frozenset(registries)

    @classmethod
    def load(cls, files: Iterable[Path] = ()) -> "Catalogue":
        """The built-in catalogue after the given ones; raises CatalogueError."""
        parts = [_read(path) for path in (*files, BUILT_IN)]
        images = [image for images, _ in parts for image in images]
        return cls(images, [registry for _, registries in parts for registry in registries])

    @property
    def modules(self) -> tuple[str, ...]:
        """The Python modules that entries run, to be loaded ahead."""
        return tuple(sorted({i.entry.partition(":")[0] for i in self._images if i.entry}))

    def find(self, image: str) -> Image:
        """What stands for an image; raises ImageError as if a pull had failed.

        A digest that was resolved here is known by itself: Knative pins tags to digests, and
        patterns are written for tags.
        """
        names = (image, *_short(image))
        digest = image.partition("@")[2]
        for candidate in self._images:
            if candidate.digest == digest or any(
                fnmatchcase(name, pattern) for pattern in candidate.match for name in names
            ):
                if candidate.builtin == "absent":
                    break
                return candidate
        registry = _parse(image)[0]
        raise (not_found if registry in self._registries else unreachable)(image)

    def resolve(self, image: str) -> str:
        """The digest of an image; raises ImageError."""
        _, at, digest = image.partition("@")
        return digest if at and self.find(image) else self.find(image).digest


def not_found(image: str) -> ImageError:
    """The error of a registry that answers 404 for this image."""
    url, name = _url(image), _full(image)
    return ImageError(
        resolving=f"HEAD {url}: unexpected status code 404 Not Found"
        " (HEAD responses have no body, use GET for details)",
        pulling=f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}":'
        f' failed to resolve reference "{name}": {name}: not found',
    )


def unreachable(image: str) -> ImageError:
    """The error of a registry whose name does not resolve: the cluster has no way outside."""
    registry, name = _parse(image)[0], _full(image)
    host = registry.partition(":")[0]
    return ImageError(
        resolving=f'Get "https://{registry}/v2/": dial tcp: lookup {host} on 10.96.0.10:53:'
        " no such host",
        pulling=f'failed to pull and unpack image "{name}": failed to resolve reference "{name}":'
        f' failed to do request: Head "{_url(image)}": dial tcp: lookup {host}:'
        " Temporary failure in name resolution",
    )


def _short(image: str) -> tuple[str, ...]:
    """The name without Docker's registry and library, as people write it."""
    for registry in ("index.docker.io/", "docker.io/"):
        if image.startswith(registry):
            rest = image.removeprefix(registry)
            return (rest, rest.removeprefix("library/"))
    return ()


def _url(image: str) -> str:
    """The manifest's address in the registry; registries with a port speak plain HTTP."""
    registry, repository, reference = _parse(image)
    scheme = "http" if ":" in registry else "https"
    return f"{scheme}://{registry}/v2/{repository}/manifests/{reference}"


def _full(image: str) -> str:
    """The name with its tag."""
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def _parse(image: str) -> tuple[str, str, str]:
    """Registry, repository and tag or digest, with Docker's defaults."""
    name, _, digest = image.partition("@")
    head, slash, rest = name.partition("/")
    is_registry = slash and ("." in head or ":" in head or head == "localhost")
    registry, path = (head, rest) if is_registry else ("index.docker.io", name)
    repository, colon, tag = path.rpartition(":")
    if not colon:
        repository, tag = path, "latest"
    if not is_registry and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository, digest or tag


def _read(path: Path) -> tuple[list[Image], list[str]]:
    try:
        text = path.read_text("utf-8")
        document, tree = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise CatalogueError(f"{path}{place}: {error.problem}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CatalogueError(f"{path}: {error}") from error
    except RecursionError as error:
        raise CatalogueError(f"{path}: nested too deeply") from error
    entries = document.get("images") if isinstance(document, dict) else None
    if tree is None or not isinstance(entries, list):
        raise CatalogueError(f"{path}:1:1: expected a list under the key `images`")
    registries = document.get("registries", [])
    if not isinstance(registries, list) or not all(isinstance(r, str) for r in registries):
        raise CatalogueError(f"{path}: registries: expected a list of names")
    nodes = _entry_nodes(tree)
    if len(nodes) != len(entries):  # merged into the file (<<), or given twice
        nodes = [tree] * len(entries)
    places = [_Place(path, node, n) for n, node in enumerate(nodes)]
    images = [_image(entry, at, path.parent) for entry, at in zip(entries, places, strict=True)]
    return images, registries


def _entry_nodes(tree: yaml.Node) -> list[yaml.Node]:
    """Where the entries under `images` stand, as far as they stand there themselves."""
    pairs = tree.value if isinstance(tree, yaml.MappingNode) else []
    found = [value for key, value in pairs if key.value == "images"]
    return found[-1].value if found and isinstance(found[-1], yaml.SequenceNode) else []


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry stands in its file."""

    path: Path
    node: yaml.Node
    number: int

    def error(self, problem: str, key: str = "") -> CatalogueError:
        """What is wrong with the entry, or with one of its keys."""
        mark, name = self.node.start_mark, f"images[{self.number}]"
        if isinstance(self.node, yaml.MappingNode):
            marks = [k.start_mark for k, _ in self.node.value if k.value == key]
            mark = marks[0] if marks else mark
        where = f"{self.path}:{mark.line + 1}:{mark.column + 1}: {name}"
        return CatalogueError(f"{where}{'.' if key else ''}{key}: {problem}")


_FORMS: Mapping[str, tuple[type, str]] = {
    "command": (list, "a list"),
    "entry": (str, "module:function"),
    "env": (dict, "a mapping"),
    "directory": (str, "a path"),
    "user": (int, "a number"),
    "files": (dict, "a mapping of paths"),
}


def _image(entry: Any, at: _Place, folder: Path) -> Image:
    if not isinstance(entry, dict):
        raise at.error("expected a mapping")
    if unknown := sorted(map(str, set(entry) - _KEYS)):
        known = ", ".join(sorted(_KEYS))
        raise at.error(f"unknown key {unknown[0]!r}; known: {known}", unknown[0])
    match = entry.get("match")
    patterns = (match,) if isinstance(match, str) else match
    if not isinstance(patterns, list | tuple) or not patterns:
        raise at.error("expected a pattern or a list of patterns", "match")
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise at.error("expected a pattern or a list of patterns", "match")
    if sum(key in entry for key in ("command", "entry", "builtin")) != 1:
        raise at.error("give exactly one of command, entry and builtin")
    builtin = entry.get("builtin", "")
    if builtin and builtin not in _BUILTINS:
        raise at.error(f"expected one of {_BUILTINS}, not {builtin!r}", "builtin")
    for key, (form, words) in _FORMS.items():
        given = entry.get(key)
        if given is not None and (not isinstance(given, form) or isinstance(given, bool)):
            raise at.error(f"expected {words}, not {given!r}", key)
    expand = _Expansion(folder)
    return Image(
        match=tuple(patterns),
        command=tuple(expand(part) for part in entry.get("command") or ()),
        entry=entry.get("entry") or "",
        builtin=builtin,
        env={str(key): expand(value) for key, value in (entry.get("env") or {}).items()},
        directory=entry.get("directory") or "/",
        user=entry.get("user"),
        files={key: str(expand(value)) for key, value in (entry.get("files") or {}).items()},
    )


@dataclass(frozen=True, slots=True)
class _Expansion:
    """Fills in {python}, {root} and {here} (the catalogue file's folder)."""

    folder: Path

    def __call__(self, text: object) -> str:
        return (
            str(text)
            .replace("{python}", sys.executable)
            .replace("{root}", str(PACKAGE_ROOT))
            .replace("{here}", str(self.folder.resolve()))
        )
