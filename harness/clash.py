"""The product's packages have plain names; a package of the same name elsewhere hides them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("harness", "probes", "infra")


def check_packages() -> str | None:
    """What hides one of the product's packages, as an error for a person; None if nothing does.

    Plain folders (without `__init__.py`) of these names are no trouble: Python prefers packages.
    """
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            return (
                f"vpm-harness: its package {name!r} is hidden by {origin or 'nothing importable'};"
                f" rename that package, or run from another folder (ours is {home / name})"
            )
    return None
