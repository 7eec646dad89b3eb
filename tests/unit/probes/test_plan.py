"""Plans: where each vantage sends its requests, and how."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ProbeError, UsageError
from harness.core.identity import ClusterIdentity
from harness.core.observation import ServiceObserved
from harness.ports import Cluster, Gateway
from harness.spec.model import ProbeAction
from probes.plan import Probe, Route, agent_plan, route_of

HOST = "hello.default.127.0.0.1.sslip.io"
SERVICE = ServiceObserved(
    service="hello",
    namespace="default",
    found=True,
    at="",
    url=f"http://{HOST}",
    address="http://hello.default.svc.cluster.local",
)


def cluster(*, emulator: bool = False, port: int = 80, https: int | None = None) -> Cluster:
    identity = ClusterIdentity("kind", "x", "x", "u", "1.33", "1.18", emulator=emulator)
    return Cluster(identity, Path("/k"), "x", Gateway("127.0.0.1", port, https), HOST)


def action(**fields: Any) -> ProbeAction:
    return ProbeAction.model_validate({"service": "hello", "vantages": ["devbox"], **fields})


@pytest.mark.parametrize(
    ("vantage", "route"),
    [
        ("devbox", Route(f"http://{HOST}/")),
        ("gateway", Route(f"http://{HOST}/", f"{HOST}:80:127.0.0.1:80")),
        ("in-cluster", Route("http://hello.default.svc.cluster.local/")),
        (
            "in-cluster-gateway",
            Route(f"http://{HOST}/", f"{HOST}:80:kourier.kourier-system.svc.cluster.local:80"),
        ),
        ("kubectl://other", Route("http://hello.default.svc.cluster.local/")),
    ],
)
def test_each_vantage_has_its_way(vantage: str, route: Route) -> None:
    assert route_of(vantage, service=SERVICE, action=action(), cluster=cluster()) == route


@pytest.mark.parametrize(("vantage", "rules"), [("devbox", ["h:80:192.0.2.1"]), ("gateway", [])])
def test_a_name_that_is_not_asked_for_is_the_devboxs(vantage: str, rules: list[str]) -> None:
    probe = Probe(vantage, "t", Route("http://h/"))
    asked = action(resolve="192.0.2.1", method="POST", upload=7)
    (target,) = json.loads(agent_plan([probe], asked, place="x", start_at=0, lead=0))["targets"]
    assert (target["resolve"], target["body_fill"]) == (rules, 7)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_users_url_does_not_lead_through_a_port_forward(scheme: str) -> None:
    where = replace(cluster(), gateway=Gateway("127.0.0.1", 40123, forwarded=True))
    asked = action(scheme=scheme)
    route = route_of("devbox", service=SERVICE, action=asked, cluster=where)
    assert route == Route(f"{scheme}://{HOST}/")
    through = route_of("gateway", service=SERVICE, action=action(), cluster=where)
    assert through.connect_to == f"{HOST}:80:127.0.0.1:40123"


@pytest.mark.parametrize(
    ("emulator", "dns", "mode"),
    [
        (True, "default", "auto"),
        (False, "default", "system"),
        (True, "system", "system"),
        (False, "auto", "auto"),
    ],
)
def test_names_may_be_spelled_out_only_on_the_emulator_or_when_asked(
    emulator: bool, dns: str, mode: str
) -> None:
    where = cluster(emulator=emulator)
    route = route_of("devbox", service=SERVICE, action=action(dns=dns), cluster=where)
    assert route.dns == mode


def test_another_port_is_part_of_the_devbox_url_only() -> None:
    where = cluster(port=8123)
    devbox = route_of("devbox", service=SERVICE, action=action(path="/x"), cluster=where)
    gateway = route_of("gateway", service=SERVICE, action=action(path="/x"), cluster=where)
    assert devbox.url == f"http://{HOST}:8123/x"
    assert (gateway.url, gateway.connect_to) == (f"http://{HOST}/x", f"{HOST}:80:127.0.0.1:8123")


def test_a_service_that_says_no_address_is_asked_at_its_usual_one() -> None:
    service = replace(SERVICE, address="")
    route = route_of("in-cluster", service=service, action=action(), cluster=cluster())
    assert route.url == "http://hello.default.svc.cluster.local/"


def test_https_goes_to_the_https_port() -> None:
    where = cluster(https=8443)
    route = route_of("devbox", service=SERVICE, action=action(scheme="https"), cluster=where)
    assert route.url == f"https://{HOST}:8443/"


@pytest.mark.parametrize(
    ("vantage", "service", "fields", "message"),
    [
        ("devbox", replace(SERVICE, url=""), {}, "has no public URL"),
        ("gateway", SERVICE, {"scheme": "https"}, "has no HTTPS port"),
    ],
)
def test_a_way_that_does_not_exist_says_why(
    vantage: str, service: ServiceObserved, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProbeError, match=message):
        route_of(vantage, service=service, action=action(**fields), cluster=cluster())


def test_an_unknown_vantage_is_refused() -> None:
    with pytest.raises(UsageError, match="no vantage 'moon'"):
        route_of("moon", service=SERVICE, action=action(), cluster=cluster())


def test_a_plan_says_all_that_was_asked() -> None:
    asked = action(
        requests=3,
        rate="5/s",
        warmup=1,
        concurrency=7,
        timeout="2s",
        method="HEAD",
        headers={"X-A": "b"},
        status=204,
        body={"matches": "^x"},
        resolver="127.0.0.1:53",
    )
    probe = Probe("gateway", "t", Route("http://h/", "h:80:g:80"))
    plan = json.loads(
        agent_plan([probe], asked, place="devbox", start_at=12.5, lead=0.5, ca_pem="PEM")
    )
    assert plan["start_within"] > 0.5
    assert (plan["vantage"], plan["start_at"], plan["concurrency"]) == ("devbox", 12.5, 7)
    assert plan["targets"] == [
        {
            "name": "t",
            "url": "http://h/",
            "requests": 3,
            "rate": 5.0,
            "warmup": 1,
            "timeout": 2.0,
            "method": "HEAD",
            "headers": [["X-A", "b"]],
            "body_fill": 0,
            "resolve": [],
            "connect_to": ["h:80:g:80"],
            "dns": {"mode": "servers", "servers": ["127.0.0.1:53"]},
            "tls": {"ca_pem": "PEM"},
            "expect": {
                "status": ["204"],
                "body": {"exact": None, "contains": None, "regex": "^x"},
            },
        }
    ]
