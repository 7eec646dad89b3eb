"""Paths as texts: relative to a repository, with `/`, already free of links where it matters."""

from __future__ import annotations

from collections.abc import Iterable


def shown(name: str) -> str:
    """A file's name for logs and terminals: what cannot be printed is spelt out (`\\x1b`)."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name
    )


def leaves(path: str) -> bool:
    """Whether a written path is absolute or climbs with `..`, wherever it ends up."""
    return path.startswith("/") or ".." in path.split("/")


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether a resolved path is one of the folders, or lies in one."""
    return any(f"{path}/".startswith(f"{folder.rstrip('/')}/") for folder in folders)
