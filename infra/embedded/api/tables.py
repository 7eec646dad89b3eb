"""Objects as `Table` responses: what `kubectl get` asks for.  Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from infra.embedded.api import jsonpath, versions
from infra.embedded.api.columns import DEFAULT, INTEGERS, PRINTERS, since
from infra.embedded.kinds import Column, Kind

Obj = dict[str, Any]
_NAME = (
    "Name must be unique within a namespace. Is required when creating resources, although some "
    "resources may allow a client to request the generation of an appropriate name automatically. "
    "Name is primarily intended for creation idempotence and configuration definition. Cannot be "
    "updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)


def wanted(accept: str) -> bool:
    """Whether an Accept header prefers a Table to plain objects."""
    first = accept.split(",")[0].replace(" ", "")
    return ";as=Table" in first and "g=meta.k8s.io" in first


def table(
    kind: Kind,
    objects: Iterable[Obj],
    now: datetime,
    *,
    metadata: Obj,
    include: str = "Metadata",
    headers: bool = True,
) -> Obj:
    """A Table; `include` is what each row carries: Metadata, Object or None."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": _definitions(kind) if headers else None,
        "rows": [_row(kind, obj, now, include) for obj in objects],
    }


def _definitions(kind: Kind) -> list[Obj]:
    name = _definition("Name", "string", "name", _NAME, 0)
    if kind.custom:
        return [name, *(_custom(column) for column in _columns(kind))]
    printer = PRINTERS.get(versions.storage_kind(kind), DEFAULT)
    columns = [_built_in(column) for column in printer.names]
    return [name, *columns] if printer.named else columns


def _built_in(column: str) -> Obj:
    plain = column.removeprefix("+")
    kind = "integer" if plain in INTEGERS else "string"
    return _definition(plain, kind, "", "", int(plain != column))


def _custom(column: Column) -> Obj:
    return _definition(column.name, column.type, column.format, column.description, column.priority)


def _definition(name: str, kind: str, form: str, description: str, priority: int) -> Obj:
    return {
        "name": name,
        "type": kind,
        "format": form,
        "description": description,
        "priority": priority,
    }


_AGE = Column("Age", ".metadata.creationTimestamp", type="date")


def _columns(kind: Kind) -> tuple[Column, ...]:
    return kind.columns or (_AGE,)


def _row(kind: Kind, obj: Obj, now: datetime, include: str) -> Obj:
    row: Obj = {"cells": _cells(kind, obj, now)}
    if include == "Object":
        row["object"] = obj
    elif include == "Metadata":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }
    return row


def _cells(kind: Kind, obj: Obj, now: datetime) -> list[Any]:
    name = obj["metadata"].get("name", "")
    if kind.custom:
        return [name, *(_cell(column, obj, now) for column in _columns(kind))]
    printer = PRINTERS.get(versions.storage_kind(kind), DEFAULT)
    cells = printer.cells(versions.kept(kind, obj), now)
    return [name, *cells] if printer.named else list(cells)


def _cell(column: Column, obj: Obj, now: datetime) -> Any:
    value = jsonpath.first(obj, column.path)
    if column.type == "date":
        return since(value, now)
    if value is None or column.type in ("integer", "number", "boolean"):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
