"""Reading JSON of unknown shape without trusting it: the right type or a neutral value."""

from __future__ import annotations

from collections.abc import Mapping

JsonObject = Mapping[str, object]


def value_at(obj: object, *path: str) -> object:
    """The value at a path of keys; None when any part is absent or not a mapping."""
    for key in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(key)
    return obj


def text_at(obj: object, *path: str) -> str:
    """The text at a path of keys; empty when it is absent or not a text."""
    value = value_at(obj, *path)
    return value if isinstance(value, str) else ""


def number_at(obj: object, *path: str) -> int:
    """The whole number at a path of keys; 0 when it is absent or not one."""
    value = value_at(obj, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def mappings_at(obj: object, *path: str) -> tuple[JsonObject, ...]:
    """The mappings in the list at a path of keys; other entries are left out."""
    value = value_at(obj, *path)
    if not isinstance(value, list | tuple):
        return ()
    return tuple(entry for entry in value if isinstance(entry, Mapping))


def seconds_at(obj: object, *path: str) -> float:
    """The number at a path of keys, as a float; 0.0 when it is absent or not one."""
    value = value_at(obj, *path)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
