"""Knative Services: one Configuration and one Route each, whose states add up to the Service's."""

from collections.abc import Iterable, Mapping

from infra.embedded.clock import Clock
from infra.embedded.controllers import conditions, meta
from infra.embedded.controllers.runtime import writes
from infra.embedded.controllers.runtime.controller import (
    Key,
    ReconcileError,
    Watch,
    itself,
    owner,
)
from infra.embedded.controllers.serving import names
from infra.embedded.controllers.serving.configuration import name_conflict
from infra.embedded.controllers.serving.status import Draft, StatusWriter
from infra.embedded.kinds import CONFIGURATION, KSERVICE, REVISION, ROUTE, Kind
from infra.embedded.store import Obj, Store

CONFIGURATIONS_READY, ROUTES_READY = "ConfigurationsReady", "RoutesReady"
_OUT_OF_DATE = "The {} is still working to reflect the latest desired specification."
_NOT_OWNED = "There is an existing {} {} that we do not own."


def configuration_of(service: Obj, existing: Mapping[str, str]) -> Obj:
    """The Configuration of a Service; `existing` are the annotations it has already."""
    routes = {r for r in existing.get(names.ROUTES, "").split(",") if r} | {names.name(service)}
    return {
        **_child(service, "Configuration"),
        "metadata": {
            **_child_metadata(service),
            "labels": {
                **meta.labels(service),
                names.SERVICE: names.name(service),
                names.SERVICE_UID: service["metadata"]["uid"],
            },
            "annotations": {
                **meta.without(
                    meta.annotations(service), (meta.LAST_APPLIED, *names.ROLLOUT_DURATION)
                ),
                names.ROUTES: ",".join(sorted(routes)),
            },
        },
        "spec": {"template": service["spec"]["template"]},
    }


def route_of(service: Obj) -> Obj:
    """The Route of a Service; targets without a revision follow its Configuration."""
    kept = meta.without(meta.annotations(service), (meta.LAST_APPLIED,))
    return {
        **_child(service, "Route"),
        "metadata": {
            **_child_metadata(service),
            "labels": {**meta.labels(service), names.SERVICE: names.name(service)},
            "annotations": kept,
        },
        "spec": {
            "traffic": [
                target
                if target.get("revisionName")
                else {**target, "configurationName": names.name(service)}
                for target in service["spec"].get("traffic", ())
            ]
        },
    }


def _child(service: Obj, kind: str) -> Obj:
    return {"apiVersion": service["apiVersion"], "kind": kind}


def _child_metadata(service: Obj) -> Obj:
    return {
        "name": names.name(service),
        "namespace": names.namespace(service),
        "ownerReferences": [meta.controller_ref(service)],
    }


def traffic_migrated(route: Obj, configuration: Obj) -> bool:
    """Whether the Route's status shows the traffic its spec asks for."""
    latest = configuration.get("status", {}).get("latestReadyRevisionName")
    wanted = [
        (
            latest if t.get("configurationName") else t.get("revisionName"),
            t.get("percent"),
            t.get("tag"),
        )
        for t in route["spec"].get("traffic", ())
    ]
    actual = [
        (t.get("revisionName"), t.get("percent"), t.get("tag"))
        for t in route.get("status", {}).get("traffic", ())
    ]
    return wanted == actual


class Services:
    """Creates Configuration and Route, and reports both."""

    name = "service-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._status = StatusWriter(
            store, clock, KSERVICE, (CONFIGURATIONS_READY, ROUTES_READY), self.name
        )

    def watches(self) -> Iterable[Watch]:
        return (
            Watch(KSERVICE, itself),
            Watch(CONFIGURATION, owner(KSERVICE)),
            Watch(ROUTE, owner(KSERVICE)),
        )

    def reconcile(self, key: Key) -> float | None:
        service = self._store.find(KSERVICE, *key)
        if service is None or meta.is_deleting(service):
            return None
        return self._status.run(service, self._work)

    def _work(self, draft: Draft) -> None:
        service = draft.obj
        existing = self._store.find(CONFIGURATION, *_key(service))
        wanted = configuration_of(service, meta.annotations(existing) if existing else {})
        configuration = self._ensure(draft, CONFIGURATION, CONFIGURATIONS_READY, existing, wanted)
        byo_name = (configuration["spec"]["template"].get("metadata") or {}).get("name")
        if meta.observed(configuration):
            _propagate(draft, configuration, CONFIGURATIONS_READY, _CONFIGURATION_FIELDS)
        else:
            _mark_out_of_date(draft, CONFIGURATIONS_READY, "Configuration")
            if byo_name:
                return  # the named revision must exist before traffic is sent to it
        if byo_name and self._is_taken(configuration, byo_name):
            draft.conditions.mark_false(
                ROUTES_READY,
                "RevisionNameTaken",
                f'The revision name "{byo_name}" is taken by a conflicting Revision, '
                "so traffic will not be migrated",
            )
            return
        existing = self._store.find(ROUTE, *_key(service))
        route = self._ensure(draft, ROUTE, ROUTES_READY, existing, route_of(service))
        if not meta.observed(route):
            _mark_out_of_date(draft, ROUTES_READY, "Route")
            return
        _propagate(draft, route, ROUTES_READY, _ROUTE_FIELDS)
        ready = draft.conditions.has(ROUTES_READY, conditions.TRUE)
        if ready and not traffic_migrated(route, configuration):
            message = "Traffic is not yet migrated to the latest revision."
            draft.conditions.mark_unknown(ROUTES_READY, "TrafficNotMigrated", message)

    def _is_taken(self, configuration: Obj, revision_name: str) -> bool:
        revision = self._store.find(REVISION, names.namespace(configuration), revision_name)
        return revision is not None and name_conflict(configuration, revision)

    def _ensure(
        self, draft: Draft, kind: Kind, condition: str, existing: Obj | None, wanted: Obj
    ) -> Obj:
        """The child as stored, after it was created or brought to what is wanted."""
        name = names.name(wanted)
        if existing is None:
            created = self._store.create(kind, wanted)
            self._status.normal(draft.obj, "Created", f'Created {kind.kind} "{name}"')
            return created
        if not meta.is_controlled_by(existing, draft.obj):
            message = _NOT_OWNED.format(kind.kind, f'"{name}"')
            draft.conditions.mark_false(condition, "NotOwned", message)
            noun = kind.kind.lower()
            raise ReconcileError(f'service: "{name}" does not own {noun}: "{name}"')
        desired = meta.with_metadata(
            existing, labels=meta.labels(wanted), annotations=meta.annotations(wanted)
        )
        return writes.update(self._store, kind, existing, {**desired, "spec": wanted["spec"]})


_CONFIGURATION_FIELDS = ("latestCreatedRevisionName", "latestReadyRevisionName")
_ROUTE_FIELDS = ("url", "address", "traffic")


def _key(obj: Obj) -> tuple[str, str]:
    return names.namespace(obj), names.name(obj)


def _mark_out_of_date(draft: Draft, condition: str, kind: str) -> None:
    draft.conditions.mark_unknown(condition, "OutOfDate", _OUT_OF_DATE.format(kind))


def _propagate(draft: Draft, child: Obj, condition: str, fields: tuple[str, ...]) -> None:
    """Take over the child's fields and its Ready."""
    status = child.get("status", {})
    draft.put(**{field: status.get(field) for field in fields})
    ready = conditions.find(child)
    if ready is not None:
        draft.conditions.copy_status(condition, ready)
