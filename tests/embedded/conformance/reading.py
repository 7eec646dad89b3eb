"""Files of recordings, read so that a torn or odd one is nothing worse than absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml


def document(path: Path) -> Any:
    """A JSON file; None for one that is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


def manifests(text: str) -> list[dict[str, Any]]:
    """The objects in a YAML text; none in one that is no YAML."""
    try:
        found = list(yaml.safe_load_all(text)) if text else []
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    return [d for d in found if isinstance(d, dict) and isinstance(d.get("metadata"), dict)]


def manifest_file(path: Path) -> list[dict[str, Any]]:
    """The objects in a YAML file."""
    try:
        return manifests(path.read_text())
    except (OSError, ValueError):
        return []


def number(found: Any) -> float:
    """A recorded number; 0 for anything else."""
    return float(found) if isinstance(found, int | float) else 0.0


def text(found: Any) -> str:
    """A recorded text; empty for anything else."""
    return found if isinstance(found, str) else ""
