"""Server-side apply: a manager states the fields it wants; the rest stays with its owners."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.embedded.api import fieldset
from infra.embedded.api.fieldset import Path
from infra.embedded.api.managed import Manager, Owned, parse, render
from infra.embedded.api.shapes import ANYTHING, Shape
from infra.embedded.errors import StatusError
from infra.embedded.store import Obj


@dataclass(frozen=True, slots=True)
class Applied:
    """The object with a configuration merged in, and the new record of its managers."""

    obj: Obj
    managed: list[dict[str, Any]]


def apply(
    *, shape: Shape | None, live: Obj | None, config: Obj, manager: Manager, force: bool, now: str
) -> Applied:
    """Merge a configuration into the live object; raises a 409 for fields of other managers."""
    owners = parse(live or {})
    wanted = fieldset.values(shape, config, structures=False)
    others = {other: owned for other, owned in owners.items() if other != manager}
    current = fieldset.values(shape, live or {}, structures=False)
    contested = {p for p, value in wanted.items() if p not in current or current[p] != value}
    conflicts = {
        other: owned.paths & contested for other, owned in others.items() if owned.paths & contested
    }
    if conflicts and not force:
        raise _conflict(conflicts)
    obj: Obj = _merge(shape or ANYTHING, copy.deepcopy(live or {}), config)
    held = frozenset(path for owned in others.values() for path in owned.paths)
    before = owners[manager].paths if manager in owners else frozenset()
    for path in sorted(before - wanted.keys() - held, key=len):
        if not any(kept[: len(path)] == path for kept in (*wanted, *held)):
            fieldset.remove(shape, obj, path)
    unchanged = manager in owners and before == wanted.keys() and not contested
    time = owners[manager].time if unchanged else now
    rest = {
        other: Owned(owned.paths - conflicts.get(other, frozenset()), owned.time)
        for other, owned in others.items()
    }
    rest[manager] = Owned(frozenset(wanted), time)
    return Applied(obj, render({who: owned for who, owned in rest.items() if owned.paths}))


def _merge(shape: Shape, live: Any, config: Any) -> Any:
    if isinstance(config, dict) and isinstance(live, dict):
        merged = dict(live)
        for name, value in config.items():
            merged[name] = _merge(shape.child(name) or ANYTHING, live.get(name), value)
        return merged
    if isinstance(config, list) and isinstance(live, list) and shape.keys:
        return _merge_items(shape, live, config)
    return copy.deepcopy(config)


def _merge_items(shape: Shape, live: list[Any], config: list[Any]) -> list[Any]:
    if shape.keys == ("*",):
        return [*live, *(item for item in config if item not in live)]
    items = {fieldset.item_step(shape.keys, item): item for item in live}
    for item in config:
        step = fieldset.item_step(shape.keys, item)
        items[step] = _merge(shape.items or ANYTHING, items.get(step), item)
    return list(items.values())


def _conflict(conflicts: Mapping[Manager, frozenset[Path]]) -> StatusError:
    causes, parts = [], []
    for manager, paths in sorted(conflicts.items(), key=lambda item: item[0].name):
        using = "" if manager.operation == "Apply" else f" using {manager.api_version}"
        who = f'"{manager.name}"{using}'
        shown = sorted(fieldset.display(path) for path in paths)
        plain = f"conflict with {who}"
        causes += [
            {"reason": "FieldManagerConflict", "message": plain, "field": field} for field in shown
        ]
        many = "".join(f"\n- {field}" for field in shown)
        parts.append(f"{plain}: {shown[0]}" if len(shown) == 1 else f"conflicts with {who}:{many}")
    total = sum(len(paths) for paths in conflicts.values())
    joined = parts[0] if len(parts) == 1 else "\n".join(parts)
    word = "conflict" if total == 1 else "conflicts"
    error = StatusError(
        f"Apply failed with {total} {word}: {joined}", details={"causes": causes}, code=409
    )
    error.reason = "Conflict"
    return error
