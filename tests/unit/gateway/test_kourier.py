"""When kourier's Service leads from outside to the gateway, and when somebody's edit ended that."""

from __future__ import annotations

from typing import Any

import pytest

from infra.embedded.clock import Clock
from infra.embedded.gateway import kourier
from infra.embedded.kinds import SERVICE
from infra.embedded.store import Store


@pytest.fixture
def store() -> Store:
    return Store(Clock())


@pytest.fixture
def service(store: Store) -> dict[str, Any]:
    kourier.ensure(store, internal="10.96.0.80", public="127.9.9.9", ports=(80, 443))
    return store.get(SERVICE, "kourier-system", "kourier")


@pytest.mark.parametrize(
    ("change", "exposed"),
    [
        ({}, True),
        ({"type": "NodePort"}, True),
        ({"type": "ClusterIP"}, False),
        ({"selector": {"app": "nobody"}}, False),
        ({"selector": {"app": "3scale-kourier-gateway", "tier": "x"}}, False),
        ({"selector": {}}, False),
        ({"ports": [{"port": 80, "targetPort": 8081}]}, False),
        ({"ports": [{"port": 443, "targetPort": 8443}]}, False),
    ],
)
def test_an_edited_service_leads_nowhere(
    service: dict[str, Any], change: dict[str, Any], exposed: bool
) -> None:
    edited = {**service, "spec": {**service["spec"], **change}}
    assert kourier.exposes(edited) is exposed


def test_only_the_one_for_outside_counts(store: Store, service: dict[str, Any]) -> None:
    assert kourier.is_external(service)
    assert not kourier.is_external(store.get(SERVICE, "kourier-system", "kourier-internal"))
