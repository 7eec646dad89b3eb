"""Old revisions that no route needs are deleted, by the rules of config-gc."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from infra.embedded.clock import Clock, parse_rfc3339
from infra.embedded.controllers import meta
from infra.embedded.controllers.runtime.controller import Key, Watch, itself, owner
from infra.embedded.controllers.serving import names
from infra.embedded.controllers.serving.config import GC, Configs, GcConfig, on_change
from infra.embedded.controllers.serving.configuration import LATEST_READY
from infra.embedded.kinds import CONFIGURATION, REVISION
from infra.embedded.store import Obj, Store


def last_active(revision: Obj) -> datetime:
    """When a revision was last known to have traffic (its creation, if never)."""
    modified = meta.annotations(revision).get(names.ROUTING_STATE_MODIFIED)
    return parse_rfc3339(modified or revision["metadata"]["creationTimestamp"])


def is_spared(revision: Obj, latest_ready: str | None) -> bool:
    """Revisions that collection never touches: in use, being decided, or marked."""
    state = meta.labels(revision).get(names.ROUTING_STATE)
    return (
        names.name(revision) == latest_ready
        or state in ("active", "pending")
        or meta.annotations(revision).get(names.NO_GC, "").lower() == "true"
    )


def is_stale(revision: Obj, config: GcConfig, now: datetime) -> bool:
    """Whether both retention times are over."""
    created = parse_rfc3339(revision["metadata"]["creationTimestamp"])
    for since, keep in (
        (created, config.retain_since_create),
        (last_active(revision), config.retain_since_active),
    ):
        if keep is not None and now < since + timedelta(seconds=keep):
            return False
    return config.retain_since_create is not None or config.retain_since_active is not None


def superfluous(
    revisions: Sequence[Obj], latest_ready: str | None, config: GcConfig, now: datetime
) -> list[Obj]:
    """The revisions to delete, oldest activity first."""
    idle = [r for r in revisions if not is_spared(r, latest_ready)]
    idle.sort(key=lambda r: (last_active(r), r["metadata"]["creationTimestamp"]))
    excess = max(0, len(idle) - config.min_non_active)
    stale = [r for r in idle if is_stale(r, config, now)][:excess]
    if config.max_non_active is None:
        return stale
    left = [r for r in idle if r not in stale]
    return stale + left[: max(0, len(left) - config.max_non_active)]


class RevisionGc:
    """Collects the revisions of one Configuration at a time."""

    name = "revision-gc-controller"

    def __init__(self, store: Store, clock: Clock, configs: Configs) -> None:
        self._store, self._clock, self._configs = store, clock, configs

    def watches(self) -> Iterable[Watch]:
        return (
            Watch(CONFIGURATION, itself),
            Watch(REVISION, owner(CONFIGURATION)),
            on_change(self._store, CONFIGURATION, GC),
        )

    def reconcile(self, key: Key) -> float | None:
        configuration = self._store.find(CONFIGURATION, *key)
        if configuration is None or meta.is_deleting(configuration):
            return None
        revisions = self._store.dependents(configuration, REVISION)
        latest = configuration.get("status", {}).get(LATEST_READY)
        for revision in superfluous(revisions, latest, self._configs.gc(), self._clock.now()):
            self._store.delete(REVISION, key.namespace, names.name(revision))
        return None
