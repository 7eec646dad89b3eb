"""Files of recordings, read so that a torn or odd one is nothing worse than absent."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # seconds quicker for many files


def document(path: Path) -> Any:
    """A JSON file; None for one that is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


def manifests(text: str) -> list[dict[str, Any]]:
    """The objects in a YAML text; none in one that is no YAML."""
    try:
        found = list(yaml.load_all(text, _Loader)) if text else []
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    return [d for d in found if isinstance(d, dict) and isinstance(d.get("metadata"), dict)]


def manifest_file(path: Path) -> list[dict[str, Any]]:
    """The objects in a YAML file, to be read only: the same ones are given again."""
    try:
        return _manifest_file(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return []


@cache
def _manifest_file(path: Path, _: int) -> list[dict[str, Any]]:
    return manifests(path.read_text())


def number(found: Any) -> float:
    """A recorded number; 0 for anything else."""
    return float(found) if isinstance(found, int | float) else 0.0


def text(found: Any) -> str:
    """A recorded text; empty for anything else."""
    return found if isinstance(found, str) else ""
