"""Reading from the store: objects, lists, owners, changes."""

import math
from collections.abc import Iterable, Mapping

from infra.embedded.changes import Changes, Event, Subscription
from infra.embedded.errors import NotFound
from infra.embedded.kinds import Kind
from infra.embedded.objects import Obj, Objects, Stored, encode, key_of

Found = list[Obj]  # the class below has a method named list


class Reading:
    """What can be asked of the objects of a cluster.  Objects handed out are shared."""

    def __init__(self, objects: Objects, changes: Changes) -> None:
        self.objects = objects
        self.changes = changes

    @property
    def revision(self) -> int:
        """The resourceVersion of the last change."""
        return self.objects.revision

    def find(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        stored = self.objects.get(kind, (namespace if kind.namespaced else "", name))
        return stored.obj if stored is not None else None

    def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        return self.stored(kind, namespace, name).obj

    def stored(self, kind: Kind, namespace: str, name: str) -> Stored:
        """The object together with its JSON; raises NotFound."""
        stored = self.objects.get(kind, (namespace if kind.namespaced else "", name))
        if stored is None:
            raise NotFound(kind, name)
        return stored

    def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Found:
        return [stored.obj for stored in self.objects.select(kind, namespace, labels)]

    def as_of(self, kind: Kind, namespace: str | None, revision: int) -> Iterable[Stored]:
        """The objects as they were at a revision; raises Expired when that is forgotten."""
        then = self.changes.before(kind, revision)
        for stored in self.objects.select(kind, namespace, None):
            if key_of(stored.obj) not in then:
                yield stored
        for (space, _), obj in then.items():
            if obj is not None and namespace in (None, space):
                yield Stored(kind, obj, encode(obj))

    def dependents(self, owner: Obj, kind: Kind | None = None) -> Found:
        """The objects (of one kind, if given) that name this object as an owner."""
        found = self.objects.dependents(owner["metadata"]["uid"])
        return [s.obj for s in found if kind is None or s.kind.resource == kind.resource]

    def watch(self, *kinds: Kind) -> Subscription:
        """All changes of these kinds from now on, after the current objects as ADDED.

        For the cluster's own parts: it never ends for lagging behind, as a client's would.
        """
        current = [
            Event("ADDED", kind, s.obj, None, s.raw, int(s.obj["metadata"]["resourceVersion"]))
            for kind in kinds
            for s in self.objects.select(kind, None, None)
        ]
        return self.changes.subscribe(kinds, current, backlog=math.inf)
