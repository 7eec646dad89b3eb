"""PodAutoscalers: from decisions to replicas, and whether a revision is active."""

from collections.abc import Iterable

from infra.embedded.autoscaler import spec as settings
from infra.embedded.autoscaler.decider import MIN_ACTIVATORS, UNKNOWN, activators
from infra.embedded.autoscaler.metrics import RevisionKey
from infra.embedded.autoscaler.multiscaler import Multiscaler
from infra.embedded.autoscaler.objects import metric_of, serverless_service_of
from infra.embedded.autoscaler.scaler import Rules, Scale, Situation, scale
from infra.embedded.clock import Clock
from infra.embedded.controllers import conditions, meta
from infra.embedded.controllers.runtime import writes
from infra.embedded.controllers.runtime.controller import Key, Watch, itself, label, owner
from infra.embedded.controllers.serving import annotations, names
from infra.embedded.controllers.serving.config import AUTOSCALER, Configs, on_change, seconds
from infra.embedded.controllers.serving.config import DEPLOYMENT as DEPLOYMENT_CONFIG
from infra.embedded.controllers.serving.serverlessservice import ACTIVATOR_POPULATED
from infra.embedded.controllers.serving.status import Draft, StatusWriter
from infra.embedded.controllers.workloads import pods
from infra.embedded.kinds import (
    DEPLOYMENT,
    METRIC,
    POD,
    PODAUTOSCALER,
    REPLICASET,
    SKS,
)
from infra.embedded.store import Obj, Store

ACTIVE, INITIALIZED, SKS_READY = "Active", "ScaleTargetInitialized", "SKSReady"
_QUEUED = "Requests to the target are being buffered as resources are provisioned."
_NO_TRAFFIC = "The target is not receiving traffic."


class PodAutoscalers:
    """Sizes the Deployments of revisions."""

    name = "kpa-class-podautoscaler-controller"

    def __init__(
        self, store: Store, clock: Clock, configs: Configs, multiscaler: Multiscaler
    ) -> None:
        self._store, self._clock, self._configs = store, clock, configs
        self._multiscaler = multiscaler
        dependents = (ACTIVE, INITIALIZED, SKS_READY)
        self._status = StatusWriter(store, clock, PODAUTOSCALER, dependents, self.name)

    def watches(self) -> Iterable[Watch]:
        return (
            Watch(PODAUTOSCALER, itself),
            Watch(SKS, owner(PODAUTOSCALER)),
            Watch(METRIC, owner(PODAUTOSCALER)),
            Watch(POD, label(names.REVISION)),
            on_change(self._store, PODAUTOSCALER, AUTOSCALER, DEPLOYMENT_CONFIG),
        )

    def reconcile(self, key: Key) -> float | None:
        autoscaler = self._store.find(PODAUTOSCALER, *key)
        if autoscaler is None or meta.is_deleting(autoscaler):
            self._multiscaler.forget(key)
            return None
        if meta.annotations(autoscaler).get(names.CLASS, names.KPA) != names.KPA:
            return None
        return self._status.run(autoscaler, self._work)

    def ready_pods(self, key: RevisionKey) -> int:
        """Pods of a revision that are ready and stay."""
        found = self._store.find(PODAUTOSCALER, *key)
        if found is None:
            return 0
        deployment = self._store.find(DEPLOYMENT, key[0], _target(found))
        if deployment is None:
            return 0
        sets = self._store.dependents(deployment, REPLICASET)
        return sum(
            pods.is_active(pod) and pods.is_ready(pod)
            for replicaset in sets
            for pod in self._store.dependents(replicaset, POD)
        )

    def _work(self, draft: Draft) -> float | None:
        autoscaler, config = draft.obj, self._configs.autoscaler()
        key = names.namespace(autoscaler), names.name(autoscaler)
        sks = self._store.find(SKS, *key)
        private = (sks or {}).get("status", {}).get("privateServiceName", "")
        if sks is None or not private:
            if sks is None:
                wanted = serverless_service_of(autoscaler, "Proxy", MIN_ACTIVATORS)
                self._store.create(SKS, wanted)
            draft.put(metricsServiceName="", serviceName="")
            draft.conditions.mark_unknown(SKS_READY, "NotReady", "No Private Service Name")
            self._report(draft, want=UNKNOWN, ready=0)
            return None
        draft.put(metricsServiceName=private)
        spec = settings.decider_spec(autoscaler, config)
        decision = self._multiscaler.ensure(key, spec)
        self._ensure_metric(autoscaler, private)
        outcome = self._scale(draft, decision.pods, sks)
        ready = self.ready_pods(key)
        unused = outcome.want == UNKNOWN and draft.conditions.has(ACTIVE, conditions.FALSE)
        proxied = outcome.want == 0 or decision.excess_burst_capacity < 0 or unused
        mode = "Proxy" if proxied else "Serve"
        wanted = serverless_service_of(autoscaler, mode, activators(spec, ready))
        sks = writes.update(self._store, SKS, sks, {**sks, "spec": wanted["spec"]})
        draft.put(serviceName=sks["status"].get("serviceName", ""))
        self._mark_sks(draft, sks)
        self._report(draft, want=outcome.want, ready=ready)
        return outcome.again

    def _ensure_metric(self, autoscaler: Obj, private: str) -> None:
        config = self._configs.autoscaler()
        wanted = metric_of(
            autoscaler,
            private,
            stable=settings.stable_window(autoscaler, config),
            panic=settings.panic_window(autoscaler, config),
        )
        existing = self._store.find(METRIC, names.namespace(wanted), names.name(wanted))
        if existing is None:
            self._store.create(METRIC, wanted)
        else:
            writes.update(self._store, METRIC, existing, {**existing, "spec": wanted["spec"]})

    def _scale(self, draft: Draft, desired: int, sks: Obj) -> Scale:
        autoscaler, marks = draft.obj, draft.conditions
        namespace, target = names.namespace(autoscaler), _target(autoscaler)
        proxied = conditions.find(sks, ACTIVATOR_POPULATED)
        on_path = proxied is not None and proxied.is_true and meta.observed(sks)
        outcome = scale(
            desired=desired,
            rules=self._rules(autoscaler),
            situation=Situation(
                active=marks.get(ACTIVE),
                initialized=marks.has(INITIALIZED, conditions.TRUE),
                proxied_since=proxied.since if proxied is not None and on_path else None,
                now=self._clock.now(),
            ),
        )
        deployment = self._store.find(DEPLOYMENT, namespace, target)
        if outcome.apply and deployment is not None:
            spec = {**deployment["spec"], "replicas": outcome.want}
            writes.update(self._store, DEPLOYMENT, deployment, {**deployment, "spec": spec})
        return outcome

    def _rules(self, autoscaler: Obj) -> Rules:
        config = self._configs.autoscaler()
        deadline = self._configs.deployment().progress_deadline
        retention = annotations.value(
            autoscaler,
            "scale-to-zero-pod-retention-period",
            seconds,
            config.pod_retention,
        )
        return Rules(
            bounds=settings.bounds(autoscaler, config),
            initial_scale=annotations.initial_scale(autoscaler, config),
            enable_scale_to_zero=config.enable_scale_to_zero,
            stable_window=settings.stable_window(autoscaler, config),
            grace_period=config.grace_period,
            pod_retention=retention,
            progress_deadline=annotations.progress_deadline(autoscaler, deadline),
        )

    def _mark_sks(self, draft: Draft, sks: Obj) -> None:
        if meta.observed(sks) and conditions.is_true(sks):
            draft.conditions.mark_true(SKS_READY)
            return
        ready = conditions.find(sks)
        message = ready.message if ready is not None else ""
        draft.conditions.mark_unknown(SKS_READY, "NotReady", message)

    def _report(self, draft: Draft, *, want: int, ready: int) -> None:
        """Scale fields, and Active from what is wanted and what is there."""
        draft.put(desiredScale=want, actualScale=ready)
        marks = draft.conditions
        least = self._threshold(draft)
        if ready >= least and draft.fields.get("serviceName"):
            marks.mark_true(INITIALIZED)
        inactive = marks.has(ACTIVE, conditions.FALSE)
        if want == 0 or least == 0:
            if marks.has(ACTIVE, conditions.UNKNOWN) and least > 0:
                marks.mark_false(ACTIVE, "TimedOut", "The target could not be activated.")
            else:
                marks.mark_false(ACTIVE, "NoTraffic", _NO_TRAFFIC)
        elif want < 0 and inactive:
            marks.mark_false(ACTIVE, "NoTraffic", _NO_TRAFFIC)
        elif ready < least:
            marks.mark_unknown(ACTIVE, "Queued", _QUEUED)
        else:
            marks.mark_true(ACTIVE)

    def _threshold(self, draft: Draft) -> int:
        """Ready pods from which on a revision is active."""
        config = self._configs.autoscaler()
        minimum = settings.bounds(draft.obj, config).minimum
        if draft.conditions.has(INITIALIZED, conditions.TRUE):
            return max(minimum, 1)
        return max(minimum, annotations.initial_scale(draft.obj, config))


def _target(autoscaler: Obj) -> str:
    found: str = autoscaler["spec"]["scaleTargetRef"]["name"]
    return found


class Metrics:
    """Metric objects: Ready as soon as the autoscaler records the revision's load."""

    name = "metric-controller"

    def __init__(self, store: Store, clock: Clock, multiscaler: Multiscaler) -> None:
        self._store, self._multiscaler = store, multiscaler
        self._status = StatusWriter(store, clock, METRIC, (), self.name)

    def watches(self) -> Iterable[Watch]:
        return (Watch(METRIC, itself),)

    def reconcile(self, key: Key) -> float | None:
        metric = self._store.find(METRIC, *key)
        if metric is None or meta.is_deleting(metric):
            return None
        return self._status.run(metric, self._work)

    def _work(self, draft: Draft) -> None:
        key = names.namespace(draft.obj), names.name(draft.obj)
        if self._multiscaler.collects(key):
            draft.conditions.mark_true(conditions.READY)
        else:
            draft.conditions.mark_unknown(conditions.READY, "NotCollected", "")
