"""Marks revisions and Configurations with the routes that send them traffic."""

from collections.abc import Iterable

from infra.embedded.clock import Clock
from infra.embedded.controllers import meta
from infra.embedded.controllers.runtime import writes
from infra.embedded.controllers.runtime.controller import Key, Watch, itself
from infra.embedded.controllers.serving import names
from infra.embedded.kinds import CONFIGURATION, REVISION, ROUTE, Kind
from infra.embedded.store import Obj, Store


def routes_of(obj: Obj) -> set[str]:
    """The routes an object is marked with."""
    return {name for name in meta.annotations(obj).get(names.ROUTES, "").split(",") if name}


def marked(obj: Obj, route: str, *, routed: bool, now: str, stateful: bool) -> Obj:
    """`obj` with or without the mark of a route; a revision also gets its routing state."""
    routes = routes_of(obj) | {route} if routed else routes_of(obj) - {route}
    notes, labels = dict(meta.annotations(obj)), dict(meta.labels(obj))
    notes.pop(names.ROUTES, None)
    if routes:
        notes[names.ROUTES] = ",".join(sorted(routes))
    state = "active" if routes else "reserve"
    if stateful and labels.get(names.ROUTING_STATE) != state:
        labels[names.ROUTING_STATE] = state
        notes[names.ROUTING_STATE_MODIFIED] = now
    return meta.with_metadata(obj, labels=labels, annotations=notes)


class Labeler:
    """Follows Routes; what they no longer mention loses its mark."""

    name = "labeler-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._marked: dict[tuple[str, Key], set[str]] = {}  # names by kind and route

    def watches(self) -> Iterable[Watch]:
        return (Watch(ROUTE, itself),)

    def reconcile(self, key: Key) -> float | None:
        route = self._store.find(ROUTE, *key)
        alive = route is not None and not meta.is_deleting(route)
        revisions: set[str] = set()
        configurations: set[str] = set()
        if alive and route is not None:
            # Spec and status both count: a revision keeps its mark until traffic has left it.
            targets = (*route["spec"].get("traffic", ()), *_assigned(route))
            revisions = {t["revisionName"] for t in targets if t.get("revisionName")}
            configurations = {t["configurationName"] for t in targets if "configurationName" in t}
            for name in tuple(configurations):
                found = self._store.find(CONFIGURATION, key.namespace, name)
                status = (found or {}).get("status", {})
                for field in ("latestCreatedRevisionName", "latestReadyRevisionName"):
                    if status.get(field):
                        revisions.add(status[field])
        self._mark(CONFIGURATION, key, configurations)
        self._mark(REVISION, key, revisions)
        if route is None:
            self._marked.pop((CONFIGURATION.resource, key), None)
            self._marked.pop((REVISION.resource, key), None)
        return None

    def _mark(self, kind: Kind, route: Key, wanted: set[str]) -> None:
        now = self._clock.stamp()
        for obj in self._candidates(kind, route, wanted):
            routed = names.name(obj) in wanted
            if routed or route.name in routes_of(obj):
                stateful = kind == REVISION
                new = marked(obj, route.name, routed=routed, now=now, stateful=stateful)
                writes.update(self._store, kind, obj, new)

    def _candidates(self, kind: Kind, route: Key, wanted: set[str]) -> list[Obj]:
        """The objects that have the route's mark or should have it."""
        has = self._marked.get((kind.resource, route))
        if has is None:  # the first look since this process started
            everything = self._store.list(kind, route.namespace)
            has = {names.name(obj) for obj in everything if route.name in routes_of(obj)}
        self._marked[kind.resource, route] = wanted
        found = (self._store.find(kind, route.namespace, n) for n in sorted(has | wanted))
        return [obj for obj in found if obj is not None]


def _assigned(route: Obj) -> Iterable[Obj]:
    found: Iterable[Obj] = route.get("status", {}).get("traffic") or ()
    return found
