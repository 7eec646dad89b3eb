"""The namespace controller: what every namespace holds, and emptying one that is deleted."""

from infra.embedded.clock import Clock
from infra.embedded.following import follow
from infra.embedded.kinds import CONFIGMAP, EVENT, NAMESPACE, SERVICEACCOUNT
from infra.embedded.store import Event, Obj, Store


class NamespaceController:
    """Gives each namespace its default ServiceAccount, and removes those that are emptied."""

    def __init__(self, store: Store, clock: Clock, authority: str) -> None:
        """`authority` is the cluster's CA certificate, PEM: pods verify the API server by it."""
        self._store = store
        self._clock = clock
        self._authority = authority

    async def run(self) -> None:
        """Look after all namespaces until cancelled."""
        for space in self._store.list(NAMESPACE):
            self._reconcile(space["metadata"]["name"])
        await follow(self._store, self._changed)  # everything: one ends with its last object

    def _changed(self, event: Event) -> None:
        if event.kind == NAMESPACE:
            self._reconcile(event.obj["metadata"]["name"])
        elif event.type == "DELETED" and "namespace" in event.obj["metadata"]:
            self._reconcile(event.obj["metadata"]["namespace"], only_deleted=True)

    def _reconcile(self, name: str, *, only_deleted: bool = False) -> None:
        space = self._store.find(NAMESPACE, "", name)
        if space is None:
            return
        if "deletionTimestamp" in space["metadata"]:
            self._empty(space)
        elif not only_deleted:
            self._furnish(name)

    def _furnish(self, name: str) -> None:
        if self._store.find(SERVICEACCOUNT, name, "default") is None:
            meta = {"name": "default", "namespace": name}
            self._store.create(SERVICEACCOUNT, {"metadata": meta})
        if self._store.find(CONFIGMAP, name, "kube-root-ca.crt") is None:
            meta = {"name": "kube-root-ca.crt", "namespace": name}
            data = {"ca.crt": self._authority}
            self._store.create(CONFIGMAP, {"metadata": meta, "data": data})

    def _empty(self, space: Obj) -> None:
        """Delete everything inside; the namespace goes when the last object has gone."""
        name = space["metadata"]["name"]
        for kind in self._store.registry:
            if not kind.namespaced:
                continue
            for obj in self._store.list(kind, name):
                if self._store.find(kind, name, obj["metadata"]["name"]) is None:
                    continue  # it went with its owner
                if "deletionTimestamp" not in obj["metadata"]:
                    self._store.delete(kind, name, obj["metadata"]["name"])
        if not any(self._store.list(kind, name) for kind in self._store.registry if kind != EVENT):
            self._release(space)

    def _release(self, space: Obj) -> None:
        stored = self._store.stored(NAMESPACE, "", space["metadata"]["name"])
        self._store.replace(stored, {**stored.obj, "spec": {"finalizers": []}})
