"""managedFields: who set which field, kept up with every write of a client."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from infra.embedded.api import fieldset
from infra.embedded.api.context import Call
from infra.embedded.api.fieldset import Path
from infra.embedded.api.shapes import of_kind
from infra.embedded.clock import Clock
from infra.embedded.store import Obj

_LONGEST = 10_000  # paths: an object with more is not tracked


@dataclass(frozen=True, slots=True)
class Manager:
    """Who, and in which way."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """The fields of one manager."""

    paths: frozenset[Path]
    time: str


def parse(obj: Obj) -> dict[Manager, Owned]:
    """The managers of an object and what they own."""
    entries = obj.get("metadata", {}).get("managedFields") or []
    owners = {}
    for entry in entries if isinstance(entries, list) else []:
        manager = Manager(
            str(entry.get("manager", "")),
            str(entry.get("operation", "Update")),
            str(entry.get("apiVersion", "")),
            str(entry.get("subresource", "")),
        )
        paths = fieldset.from_fields(entry.get("fieldsV1") or {})
        owners[manager] = Owned(paths, str(entry.get("time", "")))
    return owners


def render(owners: Mapping[Manager, Owned]) -> list[dict[str, Any]]:
    """managedFields as they are stored: applied ones first, then by time and name."""
    entries = []
    order = sorted(owners, key=lambda m: (m.operation != "Apply", owners[m].time, m.name))
    for manager in order:
        entry: dict[str, Any] = {
            "apiVersion": manager.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldset.to_fields(owners[manager].paths),
            "manager": manager.name,
            "operation": manager.operation,
            "time": owners[manager].time,
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        entries.append(entry)
    return entries


def manager_of(call: Call, operation: str) -> Manager:
    kind, target = call.target.kind, call.target
    return Manager(call.options.manager, operation, kind.api_version, target.subresource or "")


def note(call: Call, submitted: Obj, old: Obj | None, new: Obj, clock: Clock) -> None:
    """Record in `new` that the caller's manager set what differs between `old` and `submitted`."""
    given = submitted.get("metadata", {}).get("managedFields")
    kept = (old or {}).get("metadata", {}).get("managedFields")
    owners = parse(submitted if given is not None else old or {})
    if given == [] or (given is not None and given != kept and old is not None):
        new["metadata"]["managedFields"] = render(owners)  # the client corrects the record
        return
    changed, removed = _difference(call, old, submitted)
    if len(changed) > _LONGEST:
        return
    if changed or removed:
        owners = {
            manager: replace(owned, paths=owned.paths - changed - removed)
            for manager, owned in owners.items()
        }
        me = manager_of(call, "Update")
        mine = owners[me].paths if me in owners else frozenset()
        owners[me] = Owned(mine | changed, clock.stamp())
    if old is not None and _same(old, new) and _sets(owners) == _sets(parse(old)):
        owners = parse(old)  # nothing has changed: neither do the times
    record = render({manager: owned for manager, owned in owners.items() if owned.paths})
    new["metadata"].pop("managedFields", None)
    if record:
        new["metadata"]["managedFields"] = record


def _same(old: Obj, new: Obj) -> bool:
    """Whether two versions of an object are equal but for the record of their managers."""
    before, after = (
        {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}
        for obj in (old, new)
    )
    return before == after


def _sets(owners: Mapping[Manager, Owned]) -> dict[Manager, frozenset[Path]]:
    return {manager: owned.paths for manager, owned in owners.items() if owned.paths}


def _difference(call: Call, old: Obj | None, new: Obj) -> tuple[frozenset[Path], frozenset[Path]]:
    """The paths that were set or changed, and those that are gone."""
    shape = of_kind(call.target.kind)
    before, after = (
        fieldset.values(shape, _part(call, obj), structures=True) for obj in (old or {}, new)
    )
    changed = frozenset(p for p, value in after.items() if p not in before or before[p] != value)
    return changed, frozenset(path for path in before if path not in after)


def _part(call: Call, obj: Obj) -> Obj:
    """The part of an object that a call writes: its status, or all but its status."""
    if call.target.subresource == "status":
        return {"status": obj["status"]} if "status" in obj else {}
    if call.target.kind.status:
        return {key: value for key, value in obj.items() if key != "status"}
    return obj
