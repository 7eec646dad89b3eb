"""Revisions: image digests, then Deployment, image cache and PodAutoscaler."""

from collections.abc import Callable, Iterable, Mapping

from infra.embedded.clock import Clock
from infra.embedded.controllers import conditions, meta
from infra.embedded.controllers.runtime import writes
from infra.embedded.controllers.runtime.controller import (
    Key,
    ReconcileError,
    Watch,
    itself,
    key_of,
    owner,
)
from infra.embedded.controllers.serving import names, revision_status
from infra.embedded.controllers.serving.annotations import initial_scale, progress_deadline
from infra.embedded.controllers.serving.config import DEPLOYMENT as DEPLOYMENT_CONFIG
from infra.embedded.controllers.serving.config import Configs, on_change
from infra.embedded.controllers.serving.digests import FIRST_RETRY, Digests, ImageResolver
from infra.embedded.controllers.serving.pod_spec import (
    Settings,
    child_annotations,
    child_labels,
    deployment_of,
    protocol,
    serving_container,
)
from infra.embedded.controllers.serving.revision_status import (
    CONTAINER_HEALTHY,
    RESOURCES_AVAILABLE,
)
from infra.embedded.controllers.serving.status import Draft, StatusWriter
from infra.embedded.kinds import DEPLOYMENT, IMAGE, POD, PODAUTOSCALER, REVISION
from infra.embedded.store import Obj, Store


def reachability(revision: Obj) -> str:
    """Whether requests can reach a revision: a route sends it some, or it has failed."""
    ready = conditions.find(revision)
    if ready is not None and ready.is_false:
        return "Unreachable"
    state = meta.labels(revision).get(names.ROUTING_STATE)
    return {"active": "Reachable", "reserve": "Unreachable"}.get(state or "", "")


def autoscaler_of(revision: Obj) -> Obj:
    """The PodAutoscaler that sizes a revision."""
    concurrency = revision["spec"].get("containerConcurrency", 0)
    reach = reachability(revision)
    return {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {
            "name": names.name(revision),
            "namespace": names.namespace(revision),
            "labels": child_labels(revision),
            "annotations": {
                names.CLASS: names.KPA,
                names.METRIC: "concurrency",
                **child_annotations(revision),
            },
            "ownerReferences": [meta.controller_ref(revision)],
        },
        "spec": {
            **({"containerConcurrency": concurrency} if concurrency else {}),
            "protocolType": protocol(revision),
            **({"reachability": reach} if reach else {}),
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": names.deployment(revision),
            },
        },
    }


def image_cache_of(revision: Obj, container: Obj, image: str) -> Obj:
    """The Image object that asks for an image to be kept at hand."""
    return {
        "apiVersion": "caching.internal.knative.dev/v1alpha1",
        "kind": "Image",
        "metadata": {
            "name": meta.child_name(names.name(revision), f"-cache-{container['name']}"),
            "namespace": names.namespace(revision),
            "labels": child_labels(revision),
            "annotations": child_annotations(revision),
            "ownerReferences": [meta.controller_ref(revision)],
        },
        "spec": {"image": image},
    }


class Revisions:
    """Runs revisions and reports how they do."""

    name = "revision-controller"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        configs: Configs,
        images: ImageResolver,
        enqueue: Callable[[Key], None],
    ) -> None:
        self._store, self._configs = store, configs
        self._digests = Digests(images, enqueue)
        dependents = (RESOURCES_AVAILABLE, CONTAINER_HEALTHY)
        self._status = StatusWriter(store, clock, REVISION, dependents, self.name)

    def watches(self) -> Iterable[Watch]:
        return (
            Watch(REVISION, itself),
            Watch(DEPLOYMENT, owner(REVISION)),
            Watch(PODAUTOSCALER, owner(REVISION)),
            on_change(self._store, REVISION, DEPLOYMENT_CONFIG),
        )

    def reconcile(self, key: Key) -> float | None:
        revision = self._store.find(REVISION, *key)
        if revision is None or meta.is_deleting(revision):
            self._digests.forget(key)
            return None
        return self._status.run(revision, self._work)

    def _work(self, draft: Draft) -> None:
        was_ready = conditions.is_true(draft.obj) and meta.observed(draft.obj)
        if not self._resolve(draft):
            draft.conditions.mark_unknown(RESOURCES_AVAILABLE, "ResolvingDigests")
            return
        self._run(draft)
        self._cache_images(draft)
        self._autoscale(draft)
        if not was_ready and draft.conditions.has(conditions.READY, conditions.TRUE):
            message = "Revision becomes ready upon all resources being ready"
            self._status.normal(draft.obj, "RevisionReady", message)

    def _resolve(self, draft: Draft) -> bool:
        """Whether the digests are known; raises ReconcileError when an image has none."""
        spec = draft.obj["spec"]
        if len(draft.fields.get("containerStatuses", ())) == len(spec["containers"]):
            return True
        skipped = self._configs.deployment().skip_resolving
        found = self._digests.take(key_of(draft.obj), draft.obj, skipped)
        if found is None:
            return False
        if found.error:
            draft.conditions.mark_false(CONTAINER_HEALTHY, "ContainerMissing", found.error)
            raise ReconcileError(found.error, base=FIRST_RETRY)
        draft.put(
            containerStatuses=list(found.containers),
            initContainerStatuses=list(found.init_containers) or None,
        )
        return True

    def _run(self, draft: Draft) -> None:
        revision = {**draft.obj, "status": draft.fields}
        key = names.namespace(revision), names.deployment(revision)
        deployment = self._store.find(DEPLOYMENT, *key)
        if deployment is None:
            draft.conditions.mark_unknown(RESOURCES_AVAILABLE, "Deploying")
            draft.conditions.mark_unknown(CONTAINER_HEALTHY, "Deploying")
            self._store.create(DEPLOYMENT, deployment_of(revision, self._settings(revision)))
            return
        self._check_owner(draft, deployment, "Deployment")
        deployment = self._update(deployment, deployment_of(revision, self._settings(revision)))
        revision_status.propagate_deployment(draft.conditions, deployment)
        if revision_status.has_pods(deployment):
            revision_status.propagate_recovery(draft.conditions)
        elif revision_status.lacks_pods(deployment):
            selector: Mapping[str, str] = deployment["spec"]["selector"]["matchLabels"]
            pods = self._store.list(POD, key[0], selector)
            if pods:
                name = serving_container(revision)["name"]
                revision_status.propagate_pod(draft.conditions, deployment, pods[0], name)

    def _settings(self, revision: Obj) -> Settings:
        config, scaling = self._configs.deployment(), self._configs.autoscaler()
        return Settings(
            queue_image=config.queue_image,
            queue_resources=config.queue_resources,
            progress_deadline=int(progress_deadline(revision, config.progress_deadline)),
            initial_scale=initial_scale(revision, scaling),
        )

    def _update(self, deployment: Obj, wanted: Obj) -> Obj:
        """Everything but the number of replicas, which the autoscaler decides, is ours."""
        spec = {**wanted["spec"], "replicas": deployment["spec"]["replicas"]}
        spec["selector"] = deployment["spec"]["selector"]
        updated = meta.with_metadata(
            {**deployment, "spec": spec},
            labels={**meta.labels(deployment), **meta.labels(wanted)},
            annotations={**meta.annotations(deployment), **meta.annotations(wanted)},
        )
        return writes.update(self._store, DEPLOYMENT, deployment, updated)

    def _cache_images(self, draft: Draft) -> None:
        resolved = {
            entry["name"]: entry.get("imageDigest", "")
            for entry in draft.fields.get("containerStatuses", ())
        }
        for container in draft.obj["spec"]["containers"]:
            cache = image_cache_of(draft.obj, container, resolved.get(container["name"], ""))
            if self._store.find(IMAGE, names.namespace(cache), names.name(cache)) is None:
                self._store.create(IMAGE, cache)

    def _autoscale(self, draft: Draft) -> None:
        revision = {**draft.obj, "status": draft.status()}
        wanted = autoscaler_of(revision)
        existing = self._store.find(PODAUTOSCALER, names.namespace(wanted), names.name(wanted))
        if existing is None:
            existing = self._store.create(PODAUTOSCALER, wanted)
        self._check_owner(draft, existing, "PodAutoscaler")
        updated = meta.with_metadata(
            {**existing, "spec": wanted["spec"]},
            labels=meta.labels(existing),
            annotations=meta.annotations(wanted),
        )
        current = writes.update(self._store, PODAUTOSCALER, existing, updated)
        revision_status.propagate_autoscaler(draft, current)

    def _check_owner(self, draft: Draft, child: Obj, kind: str) -> None:
        if meta.is_controlled_by(child, draft.obj):
            return
        name = names.name(child)
        message = f'There is an existing {kind} "{name}" that we do not own.'
        draft.conditions.mark_false(RESOURCES_AVAILABLE, "NotOwned", message)
        raise ReconcileError(f'revision: "{names.name(draft.obj)}" does not own {kind}: "{name}"')
