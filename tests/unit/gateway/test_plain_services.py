"""KIngresses that people write: plain Services as backends, and certificates of their own."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from infra.embedded.certs import Authority, KeyPair
from infra.embedded.clock import Clock
from infra.embedded.gateway.certificates import Certificates
from infra.embedded.gateway.envoy import EXTERNAL, virtual_hosts
from infra.embedded.gateway.listeners import listener
from infra.embedded.gateway.plain import PlainServices
from infra.embedded.gateway.prober import targets
from infra.embedded.gateway.routes import Routing, routing
from infra.embedded.kinds import ENDPOINTSLICE, SECRET, SERVICE
from infra.embedded.store import Store
from tests.support.kingress import ingress, split

INTERNAL = "kourier-internal.kourier-system.svc.cluster.local"


def written(**spec: Any) -> dict[str, Any]:
    """A KIngress that leads to the port `web` of the Service `shop`."""
    one = {"serviceName": "shop", "serviceNamespace": "default", "servicePort": "web"}
    rule = {"hosts": ["shop.example.com"], "http": {"paths": [{"splits": [one]}]}}
    made = ingress(**spec)
    made["spec"] = {"rules": [{**rule, "visibility": "ExternalIP"}], **spec}
    return made


def store() -> Store:
    return Store(Clock())


def services(objects: Store) -> PlainServices:
    return PlainServices(objects, lambda: {INTERNAL: ("10.0.0.1", 80)})


def add_service(objects: Store, *addresses: str, **spec: Any) -> None:
    """The Service `shop` with endpoints."""
    ports = [{"name": "web", "port": 80, "targetPort": 8080}]
    meta = {"name": "shop", "namespace": "default"}
    objects.create(SERVICE, {"metadata": meta, "spec": {"ports": ports, **spec}})
    slice_ = {**meta, "labels": {"kubernetes.io/service-name": "shop"}}
    ready, unready = {"ready": True}, {"ready": False}
    endpoints: list[dict[str, Any]] = [{"addresses": [a], "conditions": ready} for a in addresses]
    endpoints.append({"addresses": ["10.9.9.9"], "conditions": unready})
    objects.create(ENDPOINTSLICE, {"metadata": slice_, "endpoints": endpoints})


def add_secret(objects: Store, chain: bytes, key: bytes) -> None:
    pair = {"tls.crt": chain, "tls.key": key}
    data = {name: base64.b64encode(value).decode() for name, value in pair.items()}
    meta = {"name": "own", "namespace": "default"}
    objects.create(SECRET, {"metadata": meta, "data": data})


def with_tls(*hosts: str) -> Routing:
    entry = {"hosts": list(hosts), "secretName": "own", "secretNamespace": "default"}
    return routing(written(tls=[entry]))


def pair() -> KeyPair:
    return Authority.stranger().issue("shop.example.com", ["shop.example.com"])


def test_a_split_without_a_revision_is_a_port_of_a_service() -> None:
    plain, revision = routing(written()), routing(ingress(split("hello-00001", 100)))
    assert [s.cluster for s in plain.splits] == ["default/shop:web"]
    assert {s.cluster for s in revision.splits} == {"default/hello-00001"}
    assert [plain.rules[0].plain, revision.rules[0].plain] == [True, False]


def test_the_hash_is_that_of_go() -> None:
    """Fields in the order of Go's types, then namespace and name: networking's ComputeHash."""
    wanted = written(httpOption="Enabled")
    wanted["spec"]["rules"][0]["http"]["paths"][0]["appendHeaders"] = {"B": "<&>", "A": "é"}
    text = (
        '{"rules":[{"hosts":["shop.example.com"],"visibility":"ExternalIP","http":{"paths":[{'
        '"splits":[{"serviceNamespace":"default","serviceName":"shop","servicePort":"web"}],'
        '"appendHeaders":{"A":"é","B":"\\u003c\\u0026\\u003e"}}]}}],"httpOption":"Enabled"}'
        "defaulthello"
    )
    assert routing(wanted).version == hashlib.sha256(text.encode()).hexdigest()


def test_probes_of_others_reach_a_plain_service() -> None:
    one = routing(written())
    own, asking, usual = virtual_hosts(one, {}, EXTERNAL)[0]["routes"]
    agents = [h["string_match"] for h in own["match"]["headers"] if h["name"] == "user-agent"]
    assert agents == [{"exact": "Knative-Ingress-Probe"}]
    assert asking["match"]["headers"][0]["string_match"] == {"exact": "override"}
    assert asking["request_headers_to_add"][0]["header"]["value"] == one.version
    assert "headers" not in usual["match"]


def test_behind_a_service_are_its_ready_endpoints() -> None:
    objects = store()
    found = services(objects)
    assert not found.present(["default/shop:web"])
    assert found.concerns("default", "shop")
    add_service(objects, "10.0.0.5", "10.0.0.6")
    assert found.present(["default/shop:web", "default/a-revision"])
    assert found.behind("default/shop:web") == [("10.0.0.5", 8080), ("10.0.0.6", 8080)]
    assert found.behind("default/shop:80") == found.behind("default/shop:web")
    assert found.behind("default/shop:81") == []


@pytest.mark.parametrize(
    ("external", "behind"), [(INTERNAL, [("10.0.0.1", 80)]), ("elsewhere.example", [])]
)
def test_an_external_name_may_be_the_gateway(external: str, behind: list[object]) -> None:
    objects = store()
    add_service(objects, type="ExternalName", externalName=external)
    assert services(objects).behind("default/shop:web") == behind


@pytest.mark.parametrize(("name", "http2"), [("web", False), ("h2c", True), ("http2", True)])
def test_the_ports_name_says_the_protocol(name: str, http2: bool) -> None:
    objects = store()
    add_service(objects, ports=[{"name": name, "port": 80}])
    limits = services(objects).limits("default/shop:80")
    assert (limits.http2, limits.activator, limits.concurrency) == (http2, False, 0)


def test_a_certificate_of_ones_own() -> None:
    objects, own = store(), pair()
    found, one = Certificates(objects), with_tls("shop.example.com")
    assert not found.present(one)
    add_secret(objects, own.certificate, own.key)
    assert found.present(one)
    assert found.concerns(objects.get(SECRET, "default", "own"))
    made = found.of([one, with_tls("shop.example.com")])
    assert [(c.hosts, c.key) for c in made] == [(("shop.example.com",), own.key.decode())]
    https = listener("https", ("", 1), routes="e", files={"routes_e": "", "secrets": ""},
                     script="", certificates=made)  # fmt: skip
    names = [c.get("filter_chain_match", {}).get("server_names") for c in https["filter_chains"]]
    assert names == [["shop.example.com"], None]


def test_a_key_of_another_certificate_is_not_handed_to_envoy() -> None:
    """It refuses the whole listener then, and nobody would be served."""
    objects = store()
    add_secret(objects, pair().certificate, pair().key)
    assert not Certificates(objects).present(with_tls("shop.example.com"))


@pytest.mark.parametrize(("option", "external"), [("Enabled", True), ("Redirected", False)])
def test_where_the_outside_is_redirected_probes_ask_inside(option: str, external: bool) -> None:
    assert list(targets(routing(written(httpOption=option)))) == [("shop.example.com", external)]
