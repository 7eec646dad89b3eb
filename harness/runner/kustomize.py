"""What a kustomization may use: local files of its own overlay, and no code.

Only the keys in `_ALLOWED` are read. Each source must be a plain path that exists in the private
copy, so a remote base can not be fetched: there is nothing that kustomize would ask the network
for. That a path exists is not enough: `https://host/x` and `github.com/owner/repo` are fetched
although a folder of that name is there.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.contracts.strict_yaml import UnusableYaml, documents

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MAX_FOLDERS = 20

# No scheme, user, query or empty part, and no first part that could be a host (`v1.2/x` can be
# written as `./v1.2/x`).
_PLAIN = re.compile(r"(?:\.{1,2}/|(?![^/]*\.[^/]*/))[\w.-]+(?:/[\w.-]+)*/?|\.{1,2}", re.ASCII)
_SOURCES = ("resources", "bases", "components")
_FILES = ("patchesStrategicMerge", "patchesJson6902", "patches")
_ALLOWED = frozenset(
    {
        "apiVersion", "kind", "metadata", "namespace", "namePrefix", "nameSuffix", "labels",
        "commonLabels", "commonAnnotations", "images", "replicas", *_SOURCES, *_FILES,
    }
)  # fmt: skip


class Unbuildable(ValueError):
    """A kustomization uses what is not allowed, or names what is not there."""


def check_sources(base: Path, *, top: Path) -> tuple[str, ...]:
    """Every source that is not a file or folder below `top`, for the kustomization in `base`.

    Errors:
        Unbuildable: no kustomization, a key that is not allowed, or a link in the tree.
    """
    links = [path.name for path in top.rglob("*") if path.is_symlink()]
    if links:
        raise Unbuildable(f"the overlay holds a link: {links[0]}")
    remote: list[str] = []
    waiting, seen = [base.resolve()], set[Path]()
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        if len(seen) > MAX_FOLDERS:
            raise Unbuildable(f"more than {MAX_FOLDERS} folders")
        for source in _named(folder):
            path = (folder / source).resolve()
            below = path.is_relative_to(top.resolve()) and path.exists()
            if not below or not _PLAIN.fullmatch(source):
                remote.append(source)
            elif path.is_dir():
                waiting.append(path)
    return tuple(remote)


def _named(folder: Path) -> list[str]:
    content = _kustomization(folder)
    foreign = content.keys() - _ALLOWED
    if foreign:
        raise Unbuildable(f"kustomization key {min(map(str, foreign))} is not allowed")
    named = [item for key in _SOURCES for item in _items(content, key)]
    patches = [item for key in _FILES for item in _items(content, key)]
    paths = [item["path"] for item in patches if isinstance(item, dict) and "path" in item]
    inline = [item for item in patches if isinstance(item, str) and "\n" not in item]
    return [_text(item) for item in (*named, *paths, *inline)]


def _kustomization(folder: Path) -> dict[object, object]:
    path = next((folder / name for name in KUSTOMIZATIONS if (folder / name).is_file()), None)
    if path is None:
        raise Unbuildable(f"{folder.name} holds no kustomization.yaml")
    try:
        found = documents(path.read_bytes())
    except UnusableYaml as error:
        raise Unbuildable(f"{path.name}: {error}") from error
    if len(found) != 1 or not isinstance(found[0], dict):
        raise Unbuildable(f"{path.name}: one mapping is wanted")
    return found[0]


def _items(content: dict[object, object], key: str) -> list[object]:
    value = content.get(key, [])
    if not isinstance(value, list):
        raise Unbuildable(f"{key}: a list is wanted")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unbuildable(f"a source is a {type(value).__name__}, not a text")
    return value
