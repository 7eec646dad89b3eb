"""Routes: hosts for revisions, by way of a KIngress and placeholder Services."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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
from infra.embedded.controllers.serving import domains, names, rollout
from infra.embedded.controllers.serving.annotations import rollout_duration
from infra.embedded.controllers.serving.config import (
    DOMAIN,
    FEATURES,
    NETWORK,
    Configs,
    NetworkConfig,
    on_change,
)
from infra.embedded.controllers.serving.ingress import ingress_of
from infra.embedded.controllers.serving.labeler import routes_of
from infra.embedded.controllers.serving.placeholder import service_of
from infra.embedded.controllers.serving.status import Draft, StatusWriter
from infra.embedded.controllers.serving.traffic import DEFAULT, Target, Traffic, assign
from infra.embedded.kinds import CONFIGURATION, KINGRESS, REVISION, ROUTE, SERVICE
from infra.embedded.store import Obj, Store

FINALIZER = "routes.serving.knative.dev"
ASSIGNED, INGRESS_READY = "AllTrafficAssigned", "IngressReady"
CERTIFICATE = "CertificateProvisioned"


class Routes:
    """Assigns traffic, and reports whether the ingress has taken it over."""

    name = "route-controller"

    def __init__(self, store: Store, clock: Clock, configs: Configs) -> None:
        self._store, self._clock, self._configs = store, clock, configs
        dependents = (ASSIGNED, INGRESS_READY, CERTIFICATE)
        self._status = StatusWriter(store, clock, ROUTE, dependents, self.name)

    def watches(self) -> Iterable[Watch]:
        return (
            Watch(ROUTE, itself),
            Watch(CONFIGURATION, self._routes_of_configuration),
            Watch(REVISION, self._routes_of_revision),
            Watch(KINGRESS, owner(ROUTE)),
            Watch(SERVICE, owner(ROUTE)),
            on_change(self._store, ROUTE, DOMAIN, FEATURES, NETWORK),
        )

    def _routes_of_configuration(self, configuration: Obj) -> Iterable[Key]:
        """The routes it is marked with; one without a Service may be asked for unmarked."""
        namespace, name = names.namespace(configuration), names.name(configuration)
        found = routes_of(configuration)
        if names.SERVICE not in meta.labels(configuration):
            asking = self._store.list(ROUTE, namespace)
            found |= {names.name(r) for r in asking if _asks_for(r, name)}
        return [Key(namespace, route) for route in sorted(found)]

    def _routes_of_revision(self, revision: Obj) -> Iterable[Key]:
        """The routes that ask for a revision by its name, or send it traffic now."""
        namespace, name = names.namespace(revision), names.name(revision)
        # Before it is routed a revision is not marked yet; its own Service's route may ask for it.
        candidates = routes_of(revision) | {meta.labels(revision).get(names.CONFIGURATION, "")}
        for candidate in sorted(candidates):
            route = self._store.find(ROUTE, namespace, candidate)
            if route is not None and any(t.get("revisionName") == name for t in _targets(route)):
                yield Key(namespace, candidate)

    def reconcile(self, key: Key) -> float | None:
        route = self._store.find(ROUTE, *key)
        if route is None:
            return None
        finalizers = route["metadata"].get("finalizers", [])
        if meta.is_deleting(route):
            if FINALIZER in finalizers:
                self._write_finalizers(route, [f for f in finalizers if f != FINALIZER])
            return None
        if FINALIZER not in finalizers:
            route = self._write_finalizers(route, [*finalizers, FINALIZER])
        return self._status.run(route, self._work)

    def _write_finalizers(self, route: Obj, finalizers: list[str]) -> Obj:
        kept = {k: v for k, v in route["metadata"].items() if k != "finalizers"}
        metadata = {**kept, **({"finalizers": finalizers} if finalizers else {})}
        written = self._store.update(ROUTE, {**route, "metadata": metadata})
        message = f'Updated "{names.name(route)}" finalizers'
        self._status.normal(route, "FinalizerUpdate", message)
        return written

    def _work(self, draft: Draft) -> float | None:
        route = draft.obj
        network, all_domains = self._configs.network(), self._configs.domains()
        local = domains.is_cluster_local(route)
        host = domains.host(route, DEFAULT, network, all_domains, local=local)
        local = local or host.endswith(f".{names.CLUSTER_DOMAIN}")
        draft.put(url=f"http://{host}")
        traffic = self._assign(route)
        marks = draft.conditions
        if traffic.problem is not None or traffic.by_tag is None:
            self._mark_problem(draft, traffic)
            return None
        marks.mark_true(ASSIGNED)
        ingress = self._store.find(KINGRESS, names.namespace(route), names.name(route))
        now = rollout.unix_ns(self._clock.now())
        rolled = _rolled(route, ingress, traffic.by_tag, network, now)
        local_tags = self._local_tags(route, traffic, local=local)
        draft.put(
            address={"url": f"http://{domains.local_host(route, DEFAULT, network)}"},
            traffic=[
                _status_of(
                    target,
                    domains.host(
                        route, target.tag, network, all_domains, local=target.tag in local_tags
                    ),
                )
                for target in rollout.spread(traffic.targets, DEFAULT, rolled)
            ],
        )
        wanted = ingress_of(route, traffic.by_tag, rolled, local_tags, network, all_domains)
        self._placeholders(draft, list(traffic.by_tag), local_tags, ingress)
        marks.mark_true(CERTIFICATE, "TLSNotEnabled", _NO_TLS)
        ingress = self._apply_ingress(draft, ingress, wanted)
        ready = conditions.find(ingress)
        if not all(rolling.done for rolling in rolled):
            marks.mark_unknown(INGRESS_READY, "RolloutInProgress", _ROLLING)
        elif not meta.observed(ingress) or ready is None:
            message = "Ingress has not yet been reconciled."
            marks.mark_unknown(INGRESS_READY, "IngressNotConfigured", message)
        else:
            marks.copy_status(INGRESS_READY, ready)
        due = rollout.next_step(rolled)
        return None if due is None else (due - now) / 1e9

    def _assign(self, route: Obj) -> Traffic:
        namespace, spec = names.namespace(route), route["spec"].get("traffic", ())
        configurations, revisions = {}, {}
        for entry in spec:
            name = entry.get("configurationName")
            found = self._store.find(CONFIGURATION, namespace, name) if name else None
            if found is not None:
                configurations[name] = found
            latest = (found or {}).get("status", {}).get("latestReadyRevisionName")
            wanted = entry.get("revisionName") or latest
            revision = self._store.find(REVISION, namespace, wanted) if wanted else None
            if revision is not None:
                revisions[wanted] = revision
        return assign(spec, configurations, revisions)

    def _mark_problem(self, draft: Draft, traffic: Traffic) -> None:
        marks, problem = draft.conditions, traffic.problem
        message = "Ingress has not yet been reconciled."
        marks.mark_unknown(INGRESS_READY, "IngressNotConfigured", message)
        if problem is not None and problem.failed:
            marks.mark_false(ASSIGNED, problem.reason, problem.message)
        elif problem is not None:
            marks.mark_unknown(ASSIGNED, problem.reason, problem.message)

    def _local_tags(self, route: Obj, traffic: Traffic, *, local: bool) -> frozenset[str]:
        """Tags whose hosts are only known inside the cluster (the route's own is the empty tag)."""
        tags = traffic.by_tag or {}
        if local:
            return frozenset(tags)
        network, namespace = self._configs.network(), names.namespace(route)
        found = set()
        for tag in tags:
            name = domains.tagged_name(route, tag, network)
            service = self._store.find(SERVICE, namespace, name) if tag else None
            if service is not None and domains.is_cluster_local(service):
                found.add(tag)
        return frozenset(found)

    def _placeholders(
        self, draft: Draft, tags: Sequence[str], local_tags: frozenset[str], ingress: Obj | None
    ) -> None:
        """One Service per host inside the cluster; those of tags that are gone are deleted."""
        route, network = draft.obj, self._configs.network()
        all_domains = self._configs.domains()
        wanted = set()
        for tag in tags:
            name = domains.tagged_name(route, tag, network)
            wanted.add(name)
            public = domains.host(route, tag, network, all_domains, local=tag in local_tags)
            service = service_of(route, name, tag, ingress, public)
            existing = self._store.find(SERVICE, names.namespace(route), name)
            if existing is None:
                self._store.create(SERVICE, service)
                message = f'Created placeholder service "{name}"'
                self._status.normal(route, "Created", message)
            elif not meta.is_controlled_by(existing, route):
                message = f'There is an existing placeholder Service "{name}" that we do not own.'
                draft.conditions.mark_false(INGRESS_READY, "NotOwned", message)
                raise ReconcileError(f'route: "{names.name(route)}" does not own Service: "{name}"')
            else:
                wanted_service = {**existing, "spec": service["spec"]}
                writes.update(self._store, SERVICE, existing, wanted_service)
        for service in self._store.dependents(route, SERVICE):
            if names.name(service) not in wanted:
                self._store.delete(SERVICE, names.namespace(service), names.name(service))

    def _apply_ingress(self, draft: Draft, existing: Obj | None, wanted: Obj) -> Obj:
        if existing is None:
            created = self._store.create(KINGRESS, wanted)
            message = f'Created Ingress "{names.name(wanted)}"'
            self._status.normal(draft.obj, "Created", message)
            return created
        changed = meta.with_metadata(
            existing, labels=meta.labels(wanted), annotations=meta.annotations(wanted)
        )
        changed = {**changed, "spec": wanted["spec"]}
        return writes.update(self._store, KINGRESS, existing, changed)


def _asks_for(route: Obj, configuration: str) -> bool:
    return any(t.get("configurationName") == configuration for t in _targets(route))


def _targets(route: Obj) -> Iterable[Obj]:
    """What a route asks for, and what it has assigned."""
    return (*route["spec"].get("traffic", ()), *route.get("status", {}).get("traffic", ()))


def _rolled(
    route: Obj,
    ingress: Obj | None,
    by_tag: Mapping[str, Sequence[Target]],
    network: NetworkConfig,
    now: int,
) -> rollout.Rollout:
    """How far traffic has moved to the latest revisions; a new ingress begins with them."""
    goal = rollout.target(by_tag)
    if ingress is None:
        return goal
    return rollout.advance(
        previous=meta.annotations(ingress).get(names.ROLLOUT, ""),
        goal=goal,
        ready=meta.observed(ingress) and conditions.is_true(ingress),
        now=now,
        duration=rollout_duration(route, network.rollout_duration),
    )


_NO_TLS = "external-domain-tls is not enabled"
_ROLLING = "A gradual rollout of the latest revision(s) is in progress."


def _status_of(target: Target, host: str) -> dict[str, Any]:
    """A target as the Route's status lists it."""
    return {
        "latestRevision": target.latest,
        **({"percent": target.percent} if target.percent is not None else {}),
        "revisionName": target.revision,
        **({"tag": target.tag, "url": f"http://{host}"} if target.tag else {}),
    }
