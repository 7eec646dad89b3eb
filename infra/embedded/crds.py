"""CustomResourceDefinitions: applying one serves its kind."""

import contextlib
from collections.abc import Mapping
from typing import Any

from infra.embedded.api.shapes import Shape, metadata, of_schema
from infra.embedded.errors import NotFound
from infra.embedded.following import follow
from infra.embedded.kinds import BUILT_IN, CRD, Column, Kind, Registry
from infra.embedded.store import Event, Obj, Store


class Definitions:
    """Keeps the registry in step with the CRDs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kinds: dict[str, tuple[Kind, ...]] = {}

    def define(self, crd: Obj) -> None:
        """Serve the versions of a CRD, and no others of it."""
        name = crd["metadata"]["name"]
        new = tuple(kinds_of(crd))
        for kind in self._kinds.get(name, ()):
            if kind not in new:
                self._registry.remove(kind)
        for kind in new:
            self._registry.add(kind)
        self._kinds[name] = new

    def forget(self, crd: Obj) -> None:
        for kind in self._kinds.pop(crd["metadata"]["name"], ()):
            self._registry.remove(kind)

    def controller(self, store: Store) -> "DefinitionController":
        return DefinitionController(self, store)


class DefinitionController:
    """Follows CRDs: serves their kinds, and says so in their conditions."""

    def __init__(self, definitions: Definitions, store: Store) -> None:
        self._definitions = definitions
        self._store = store

    async def run(self) -> None:
        """Follow the CRDs until cancelled."""
        await follow(self._store, self._follow, CRD)

    def _follow(self, event: Event) -> None:
        crd = event.obj
        if event.type == "DELETED":
            for kind in kinds_of(crd):
                for obj in self._store.list(kind):
                    meta = obj["metadata"]
                    with contextlib.suppress(NotFound):  # it went with its owner
                        self._store.delete(kind, meta.get("namespace", ""), meta["name"])
            self._definitions.forget(crd)
            return
        self._definitions.define(crd)
        if not (crd.get("status") or {}).get("conditions"):
            self._store.update_status(
                CRD, {**crd, "status": _established(crd, self._store.clock.stamp())}
            )


# Kinds that the cluster knows better than their CRDs do.
_BUILT_IN = {(kind.group, kind.version, kind.plural): kind for kind in BUILT_IN}


def definition_of(kind: Kind, labels: Mapping[str, str], now: str) -> Obj:
    """The CRD of a kind that is built in, as if it had been applied."""
    columns = [{"name": c.name, "type": c.type, "jsonPath": c.path} for c in kind.columns]
    open_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: Obj = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": open_schema},
        "subresources": {"status": {}},
    }
    names = {
        "kind": kind.kind,
        "listKind": kind.list_kind,
        "plural": kind.plural,
        "singular": kind.singular,
        "categories": list(kind.categories),
        "shortNames": list(kind.short_names),
    }
    crd: Obj = {
        "apiVersion": CRD.api_version,
        "kind": CRD.kind,
        "metadata": {"name": kind.resource, "labels": dict(labels)},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version | ({"additionalPrinterColumns": columns} if columns else {})],
        },
    }
    return crd | {"status": _established(crd, now)}


def kinds_of(crd: Obj) -> list[Kind]:
    """The kinds that a CRD defines, the stored version first."""
    spec, names = crd["spec"], crd["spec"]["names"]
    versions = sorted(spec["versions"], key=lambda version: not version.get("storage"))
    return [
        _BUILT_IN.get((spec["group"], version["name"], names["plural"]))
        or Kind(
            spec["group"],
            version["name"],
            names["kind"],
            names["plural"],
            namespaced=spec.get("scope") == "Namespaced",
            short_names=tuple(names.get("shortNames", ())),
            categories=tuple(names.get("categories", ())),
            status="status" in (version.get("subresources") or {}),
            columns=tuple(
                _column(column) for column in version.get("additionalPrinterColumns", ())
            ),
            custom=True,
            shape=_shape(version),
        )
        for version in versions
        if version.get("served")
    ]


def _shape(version: Obj) -> Shape | None:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not schema:
        return None
    shape = of_schema(schema)
    meta = {"apiVersion": Shape("string"), "kind": Shape("string"), "metadata": metadata()}
    return Shape("object", fields={**shape.fields, **meta}, open=shape.open, schema=schema)


def _column(column: dict[str, Any]) -> Column:
    path = column["jsonPath"]
    default = f"Custom resource definition column (in JSONPath format): {path}"
    return Column(
        column["name"],
        path,
        type=column.get("type", "string"),
        format=column.get("format", ""),
        description=column.get("description") or default,
        priority=column.get("priority", 0),
    )


def _established(crd: Obj, now: str) -> Obj:
    conditions = [
        {
            "type": kind,
            "status": "True",
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [v["name"] for v in crd["spec"]["versions"] if v.get("storage")]
    return {"acceptedNames": crd["spec"]["names"], "conditions": conditions,
            "storedVersions": stored}  # fmt: skip
