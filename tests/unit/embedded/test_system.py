"""What installing Knative leaves in the store: once, and in the place of what was there before."""

from __future__ import annotations

import pytest

from infra.embedded.clock import Clock
from infra.embedded.controllers.system import NAMES, Versions, install
from infra.embedded.kinds import DEPLOYMENT, ENDPOINTS, ENDPOINTSLICE, SERVICE, SERVICEACCOUNT
from infra.embedded.store import Obj, Store

VERSIONS = Versions(knative="1.18.2", kourier="1.18.0")
OLD = {"emulator.vpm.dev/represents": "a part of the process"}


@pytest.fixture
def store() -> Store:
    return Store(Clock())


def test_it_is_installed_once(store: Store) -> None:
    install(store, VERSIONS)
    before = store.revision
    install(store, VERSIONS)
    assert store.revision == before
    assert {
        (d["metadata"]["namespace"], d["metadata"]["name"]) for d in store.list(DEPLOYMENT)
    } == {*NAMES}


def test_what_somebody_changed_is_left_as_it_is(store: Store) -> None:
    install(store, VERSIONS)
    gateway = store.get(DEPLOYMENT, "kourier-system", "3scale-kourier-gateway")
    store.update(DEPLOYMENT, {**gateway, "spec": {**gateway["spec"], "replicas": 0}})
    install(store, VERSIONS)
    now = store.get(DEPLOYMENT, "kourier-system", "3scale-kourier-gateway")
    assert now["spec"]["replicas"] == 0


def test_every_service_has_an_address_of_its_own(store: Store) -> None:
    install(store, VERSIONS)
    addresses = [service["spec"]["clusterIP"] for service in store.list(SERVICE)]
    assert all(addresses)
    assert len(set(addresses)) == len(addresses)


def test_every_pod_has_its_account(store: Store) -> None:
    install(store, VERSIONS)
    accounts = {a["metadata"]["name"] for a in store.list(SERVICEACCOUNT, "knative-serving")}
    for deployment in store.list(DEPLOYMENT, "knative-serving"):
        assert deployment["spec"]["template"]["spec"]["serviceAccountName"] in accounts


def old(kind: str, name: str, version: str, annotations: dict[str, str]) -> Obj:
    metadata = {"name": name, "namespace": "knative-serving", "annotations": annotations}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {}}


def test_what_former_versions_left_is_replaced(store: Store) -> None:
    store.create(DEPLOYMENT, old("Deployment", "activator", "apps/v1", OLD))
    store.create(SERVICE, old("Service", "activator-service", "v1", OLD))
    store.create(ENDPOINTS, old("Endpoints", "activator-service", "v1", {}))
    by_hand = old("EndpointSlice", "webhook-embedded", "discovery.k8s.io/v1", {})
    store.create(ENDPOINTSLICE, by_hand)
    install(store, VERSIONS)
    activator = store.get(DEPLOYMENT, "knative-serving", "activator")
    assert "annotations" not in activator["metadata"]
    service = store.get(SERVICE, "knative-serving", "activator-service")
    assert service["spec"]["selector"] == {"app": "activator"}
    assert store.find(ENDPOINTS, "knative-serving", "activator-service") is None
    assert store.list(ENDPOINTSLICE, "knative-serving") == []
