"""The signs of life of nodes: a Lease that is renewed, and the time in their conditions."""

from infra.embedded.clock import Clock, rfc3339_micro
from infra.embedded.controllers import meta
from infra.embedded.kinds import LEASE, NODE
from infra.embedded.store import Obj, Store

NAMESPACE = "kube-node-lease"
# Cluster seconds, as a kubelet has them by default.
DURATION = 40
_RENEW, _REPORT = 10.0, 300.0


class Heartbeat:
    """The kubelet runs in this process: while the process lives, its nodes do."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def run(self) -> None:
        """Renew until cancelled; the conditions' time follows less often."""
        reported = -_REPORT
        while True:
            self.renew()
            if self._clock.monotonic() - reported >= _REPORT:
                reported = self._clock.monotonic()
                self.report()
            await self._clock.sleep(_RENEW)

    def renew(self) -> None:
        """Renew the Lease of every node; one that is missing is made."""
        for node in self._store.list(NODE):
            wanted = _lease(node, rfc3339_micro(self._clock.now()))
            found = self._store.find(LEASE, NAMESPACE, node["metadata"]["name"])
            if found is None:
                self._store.create(LEASE, wanted)
            else:
                self._store.update(LEASE, {**found, "spec": wanted["spec"]})

    def report(self) -> None:
        """Set the conditions' time of every node."""
        now = self._clock.stamp()
        for node in self._store.list(NODE):
            status = node.get("status", {})
            seen = [{**c, "lastHeartbeatTime": now} for c in status.get("conditions") or ()]
            self._store.update_status(NODE, {**node, "status": {**status, "conditions": seen}})


def _lease(node: Obj, now: str) -> Obj:
    name = node["metadata"]["name"]
    owner = meta.controller_ref(node)
    kept = ("apiVersion", "kind", "name", "uid")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "ownerReferences": [{key: owner[key] for key in kept}],
        },
        "spec": {"holderIdentity": name, "leaseDurationSeconds": DURATION, "renewTime": now},
    }
