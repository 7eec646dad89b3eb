"""KIngresses as routings: what makes no sense is not served, and said in one line."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from infra.embedded.changes import Event
from infra.embedded.gateway.ingresses import Ingresses
from infra.embedded.kinds import KINGRESS
from tests.support.kingress import KOURIER

SPLIT = {"serviceName": "a", "servicePort": 80, "percent": 100}


class Silent:
    """A status that nobody reads."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def ingress(host: object = "a.example", **path: object) -> dict[str, Any]:
    paths = [{"splits": [SPLIT], **path}]
    return {
        "metadata": {
            **{"namespace": "default", "name": "odd", "generation": 1},
            "annotations": dict(KOURIER),
        },
        "spec": {"rules": [{"hosts": [host], "http": {"paths": paths}}]},
    }


def with_tls(secret: str) -> dict[str, Any]:
    made = ingress()
    made["spec"]["tls"] = [{"hosts": ["a.example"], "secretName": secret}]
    return made


def added(obj: dict[str, Any]) -> Event:
    return Event("ADDED", KINGRESS, obj, None, b"", 1)


@pytest.mark.parametrize(
    "obj",
    [
        ingress(""),
        ingress("a\u202e.example"),
        ingress("a b"),
        ingress(3),
        ingress(path="/\x00"),
        ingress(splits=[{**SPLIT, "percent": "all"}, SPLIT]),
        ingress(headers={"x": 3}),
        ingress(splits=[{**SPLIT, "serviceName": "a/b"}]),
        ingress(splits=[{**SPLIT, "serviceNamespace": "a/b:1"}]),
        with_tls("a/b"),
    ],
)
def test_an_ingress_that_makes_no_sense(
    obj: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    ingresses = Ingresses(Silent())  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        assert ingresses.changed(added(obj))
    [record] = caplog.records
    assert record.getMessage().startswith("the Ingress default/odd is not served: ")
    assert record.exc_info is None
    assert ingresses.routings == {}


def test_an_ingress_that_makes_sense_no_more_is_not_served_any_more() -> None:
    ingresses = Ingresses(Silent())  # type: ignore[arg-type]
    ingresses.changed(added(ingress()))
    assert list(ingresses.routings) == ["default/odd"]
    ingresses.changed(added(ingress("")))
    assert ingresses.routings == {}
