"""Configurations: one Revision per generation, and which of them was last created and ready."""

from collections.abc import Iterable

from infra.embedded import events
from infra.embedded.clock import Clock
from infra.embedded.controllers import conditions, meta
from infra.embedded.controllers.runtime.controller import Key, Watch, itself, owner
from infra.embedded.controllers.serving import names
from infra.embedded.controllers.serving.status import Draft, StatusWriter
from infra.embedded.kinds import CONFIGURATION, REVISION
from infra.embedded.store import Obj, Store

LATEST_CREATED, LATEST_READY = "latestCreatedRevisionName", "latestReadyRevisionName"


def revision_name(configuration: Obj) -> str:
    """The name of the present generation's revision: the template's own, or a numbered one."""
    own: str | None = (configuration["spec"]["template"].get("metadata") or {}).get("name")
    generation = configuration["metadata"]["generation"]
    return own or meta.child_name(names.name(configuration), f"-{generation:05d}")


def revision_of(configuration: Obj, now: str) -> Obj:
    """The revision of the present generation; `now` is the time as Kubernetes writes it."""
    template = configuration["spec"]["template"]
    template_meta = template.get("metadata") or {}
    own = meta.annotations(configuration)
    routes = {names.ROUTES: own[names.ROUTES]} if own.get(names.ROUTES) else {}
    creator = {names.CREATOR: own[names.MODIFIER]} if own.get(names.MODIFIER) else {}
    return {
        "apiVersion": configuration["apiVersion"],
        "kind": "Revision",
        "metadata": {
            "name": revision_name(configuration),
            "namespace": names.namespace(configuration),
            "labels": {
                **(template_meta.get("labels") or {}),
                **_inherited_labels(configuration),
                names.ROUTING_STATE: "active" if routes else "pending",
            },
            "annotations": {
                **(template_meta.get("annotations") or {}),
                **creator,
                **routes,
                names.ROUTING_STATE_MODIFIED: now,
            },
            "ownerReferences": [meta.controller_ref(configuration)],
        },
        "spec": template["spec"],
    }


def _inherited_labels(configuration: Obj) -> dict[str, str]:
    own = meta.labels(configuration)
    inherited = {
        names.CONFIGURATION: names.name(configuration),
        names.CONFIGURATION_GENERATION: str(configuration["metadata"]["generation"]),
        names.CONFIGURATION_UID: configuration["metadata"]["uid"],
    }
    for label in (names.SERVICE, names.SERVICE_UID):
        if own.get(label):
            inherited[label] = own[label]
    return inherited


def generation_of(revision: Obj) -> int:
    return int(meta.labels(revision).get(names.CONFIGURATION_GENERATION, 0))


def name_conflict(configuration: Obj, revision: Obj) -> bool:
    """Whether a revision of this name stands in the way of the one that the template names."""
    if not meta.is_controlled_by(revision, configuration):
        return True
    if generation_of(revision) == configuration["metadata"]["generation"]:
        return False
    return bool(configuration["spec"]["template"]["spec"] != revision["spec"])


def latest_ready(revisions: Iterable[Obj], current: str | None, wanted: str | None) -> str | None:
    """The newest ready revision that is not older than the one that was ready last.

    The one that the template names (`wanted`) comes first: that is how one rolls back by name.
    """
    newest_first = sorted(
        revisions, key=lambda one: (names.name(one) == wanted, generation_of(one)), reverse=True
    )
    for revision in newest_first:
        if conditions.is_true(revision) and meta.observed(revision):
            return names.name(revision)
        if names.name(revision) == current:
            return current
    return current


class Configurations:
    """Creates revisions, and follows which of them are ready."""

    name = "configuration-controller"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._status = StatusWriter(store, clock, CONFIGURATION, (), self.name)

    def watches(self) -> Iterable[Watch]:
        return (Watch(CONFIGURATION, itself), Watch(REVISION, owner(CONFIGURATION)))

    def reconcile(self, key: Key) -> float | None:
        configuration = self._store.find(CONFIGURATION, *key)
        if configuration is None or meta.is_deleting(configuration):
            return None
        return self._status.run(configuration, self._work)

    def _work(self, draft: Draft) -> None:
        configuration, marks = draft.obj, draft.conditions
        revision = self._latest_created(draft)
        if revision is None:
            return
        name = names.name(revision)
        draft.put(**{LATEST_CREATED: name})
        if draft.fields.get(LATEST_READY) != name:
            marks.mark_unknown(conditions.READY)
        ready = conditions.find(revision)
        if ready is not None and ready.is_true and not draft.fields.get(LATEST_READY):
            message = "Configuration becomes ready"
            self._status.normal(configuration, "ConfigurationReady", message)
        elif ready is not None and ready.is_false:
            message = f'Latest created revision "{name}" has failed'
            self._status.record(configuration, events.WARNING, "LatestCreatedFailed", message)
            message = f'Revision "{name}" failed with message: {ready.message}.'
            marks.mark_false(conditions.READY, "RevisionFailed", message)
        self._follow_latest_ready(draft, name)

    def _latest_created(self, draft: Draft) -> Obj | None:
        """The revision of the present generation, made if it is missing; None on a conflict."""
        configuration = draft.obj
        name = revision_name(configuration)
        found = self._store.find(REVISION, names.namespace(configuration), name)
        if found is None:
            created = self._store.create(REVISION, revision_of(configuration, self._clock.stamp()))
            self._status.normal(configuration, "Created", f'Created Revision "{name}"')
            return created
        if not name_conflict(configuration, found):
            return found
        message = (
            "Revision creation failed with message: "
            f'revisions.serving.knative.dev "{name}" already exists.'
        )
        draft.conditions.mark_false(conditions.READY, "RevisionFailed", message)
        return None

    def _follow_latest_ready(self, draft: Draft, created: str) -> None:
        before = draft.fields.get(LATEST_READY)
        owned = self._store.dependents(draft.obj, REVISION)
        wanted = (draft.obj["spec"]["template"].get("metadata") or {}).get("name")
        after = latest_ready(owned, before, wanted)
        draft.put(**{LATEST_READY: after})
        if after == created:
            draft.conditions.mark_true(conditions.READY)
        if after is not None and after != before:
            message = f'LatestReadyRevisionName updated to "{after}"'
            self._status.normal(draft.obj, "LatestReadyUpdate", message)
