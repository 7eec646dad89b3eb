"""The routes in question, out of a whole config dump."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.run.envoy import NoDump, routes_of

HOST = "hello.default.127.0.0.1.sslip.io"


def virtual_host(name: str, *domains: str, cluster: str) -> dict[str, Any]:
    route = {"weighted_clusters": {"clusters": [{"name": cluster, "weight": 100}]}}
    return {"name": name, "domains": list(domains), "routes": [{"route": route}]}


def endpoints(cluster: str) -> dict[str, Any]:
    return {"endpoint_config": {"cluster_name": cluster, "endpoints": [{"lb_endpoints": []}]}}


HOSTS = [
    virtual_host("(default/hello).Rules[0]", HOST, f"{HOST}:*", cluster="default/hello-00001"),
    virtual_host("(default/other).Rules[0]", "other.default.example", cluster="default/other"),
    virtual_host("(default/hello-2).Rules[0]", "hello-2.default.example", cluster="default/two"),
]
DUMP = {
    "configs": [
        {"dynamic_route_configs": [{"route_config": {"name": "external", "virtual_hosts": HOSTS}}]},
        {
            "dynamic_active_clusters": [
                {"cluster": {"name": "default/hello-00001", "connect_timeout": "5s"}},
                {"cluster": {"name": "default/other"}},
            ]
        },
        {"dynamic_endpoint_configs": [endpoints("default/hello-00001"), endpoints("default/two")]},
        {
            "dynamic_listeners": [
                {"active_state": {"listener": {"name": "listener_8080", "address": {"port": 8080}}}}
            ]
        },
    ]
}


def test_a_route_is_shown_with_what_it_leads_to_and_nothing_else() -> None:
    found = json.loads(routes_of(json.dumps(DUMP), names=[HOST]))
    assert [host["name"] for host in found["virtual_hosts"]] == ["(default/hello).Rules[0]"]
    assert [one["name"] for one in found["clusters"]] == ["default/hello-00001"]
    assert [one["cluster_name"] for one in found["endpoints"]] == ["default/hello-00001"]
    assert found["listeners"] == [{"name": "listener_8080", "address": {"port": 8080}}]


def test_a_service_without_an_address_is_found_by_how_its_names_begin() -> None:
    found = json.loads(routes_of(json.dumps(DUMP), names=["hello.default"]))
    assert [host["name"] for host in found["virtual_hosts"]] == ["(default/hello).Rules[0]"]


def test_a_route_that_is_not_there_leaves_an_empty_list() -> None:
    found = json.loads(routes_of(json.dumps(DUMP), names=["gone.default"]))
    assert (found["virtual_hosts"], found["clusters"]) == ([], [])
    assert found["asked"] == ["gone.default"]


@pytest.mark.parametrize(
    "text", ["", "curl: (7) Failed to connect", "[]", "{}", "[" * 100_000, '"configs"']
)
def test_what_is_no_dump_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NoDump):
        routes_of(text, names=[HOST])
