"""The living objects in memory with their indexes, each backed by a row of the storage."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.embedded.kinds import CRD, Kind, Registry
from infra.embedded.storage import Row, Storage

Obj = dict[str, Any]
Key = tuple[str, str]  # namespace ("" for cluster scope), name


@dataclass(frozen=True, slots=True)
class Stored:
    """An object and its JSON."""

    kind: Kind
    obj: Obj
    raw: bytes


def key_of(obj: Obj) -> Key:
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def encode(obj: Obj) -> bytes:
    """Compact JSON with sorted keys; lone surrogates become `?`."""
    text = json.dumps(obj, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return text.encode(errors="replace")


class Objects:
    """Tables of objects per resource, an index of owners, and the revision counter."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._tables: dict[str, dict[Key, Stored]] = {}
        self._by_uid: dict[str, Stored] = {}
        self._dependents: dict[str, dict[str, None]] = {}  # owner's uid -> ordered set of uids
        self.revision = 0

    def load(self, registry: Registry, define: Any) -> None:
        """Read the storage; `define(crd)` is called for each CRD before its objects appear."""
        rows, self.revision = self._storage.load()
        for row in sorted(rows, key=lambda row: row.resource != CRD.resource):
            body = row.body or b""
            obj: Obj = json.loads(body)
            kind = registry.by_resource(row.resource)
            if kind is None:
                continue  # its CRD is gone
            self._remember(Stored(kind, obj, body))
            if kind == CRD:
                define(obj)

    def get(self, kind: Kind, key: Key) -> Stored | None:
        table = self._tables.get(kind.table)
        return table.get(key) if table is not None else None

    def by_uid(self, uid: str) -> Stored | None:
        return self._by_uid.get(uid)

    def select(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None
    ) -> Iterable[Stored]:
        for (space, _), stored in self._tables.get(kind.table, {}).items():
            if namespace is not None and space != namespace:
                continue
            if labels:
                has = stored.obj["metadata"].get("labels") or {}
                if any(has.get(label) != value for label, value in labels.items()):
                    continue
            yield stored

    def dependents(self, uid: str) -> list[Stored]:
        """The objects that name this uid in their ownerReferences."""
        return [self._by_uid[child] for child in self._dependents.get(uid, ())]

    def put(self, kind: Kind, obj: Obj) -> Stored:
        """Stamp the next revision on the object and keep it; the object is owned from now on."""
        revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        stored = Stored(kind, obj, encode(obj))
        namespace, name = key_of(obj)
        self._storage.write(Row(kind.table, namespace, name, revision, stored.raw))
        self.revision = revision
        self._remember(stored)
        return stored

    def drop(self, stored: Stored) -> Stored:
        """Remove an object; what is returned carries the revision of the removal."""
        revision = self.revision + 1
        namespace, name = key_of(stored.obj)
        self._storage.write(Row(stored.kind.table, namespace, name, revision, None))
        self.revision = revision
        del self._tables[stored.kind.table][namespace, name]
        self._forget(stored)
        meta = {**stored.obj["metadata"], "resourceVersion": str(revision)}
        last = {**stored.obj, "metadata": meta}
        return Stored(stored.kind, last, encode(last))

    def _remember(self, stored: Stored) -> None:
        table = self._tables.setdefault(stored.kind.table, {})
        key = key_of(stored.obj)
        if key in table:
            self._forget(table[key])
        table[key] = stored
        uid = stored.obj["metadata"]["uid"]
        self._by_uid[uid] = stored
        for owner in stored.obj["metadata"].get("ownerReferences", ()):
            self._dependents.setdefault(owner["uid"], {})[uid] = None

    def _forget(self, stored: Stored) -> None:
        uid = stored.obj["metadata"]["uid"]
        self._by_uid.pop(uid, None)
        for owner in stored.obj["metadata"].get("ownerReferences", ()):
            children = self._dependents.get(owner["uid"], {})
            children.pop(uid, None)
            if not children:
                self._dependents.pop(owner["uid"], None)
