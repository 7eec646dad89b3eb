"""Faults made by others: signals, kubectl, files and resolvers; the diagnosis is told nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.core.diagnose import diagnose
from harness.core.outcome import Hop
from harness.core.verdict import Claim, Verdict
from tests.contract.agent.certificates import Authority
from tests.contract.agent.dnsserver import Question, a, reply, serve_dns
from tests.support.cluster import Cluster, serve
from tests.support.processes import apps, frozen, killing, of_server
from tests.support.product import Product, echo
from tests.support.wait import eventually

PLACES = ("devbox", "gateway", "in-cluster")
SHORT = {"requests": 5, "timeout": "2s"}
ELSEWHERE = "127.255.255.254"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A cluster of this module's own, with a service that is broken and one beside it."""
    with serve(tmp_path_factory.mktemp("outside") / "state", "outside") as cluster:
        product = Product(cluster, "default")
        for name in ("victim", "neighbour"):
            product.up(name)
        yield product


@pytest.fixture
def product(running: Product) -> Product:
    """The cluster once nothing is wrong any more: what the last case broke may take a while."""
    eventually(lambda: look(running).verdict is Verdict.PASS, timeout=120)
    return running


def look(product: Product, name: str = "victim", *vantages: str, **fields: Any) -> Claim:
    """Probe and diagnose, as a run would: READY as it is now."""
    service = product.read(name)
    probes = product.probe(service, *(vantages or PLACES), **SHORT | fields)
    return diagnose(ready=service, probes=probes)


def found(claim: Claim) -> tuple[Verdict, str | None, Hop | None, str | None]:
    return claim.verdict, claim.diagnosis, claim.hop, claim.vantage


@pytest.mark.covers("faults from outside", "an Envoy that stands still accepts and never answers")
def test_a_gateway_that_stands_still(product: Product) -> None:
    with frozen(of_server(product.cluster, "envoy")):
        claim = look(product)
    assert found(claim) == (Verdict.INCONCLUSIVE, "silent", Hop.WAIT, "devbox"), claim.reason
    eventually(lambda: look(product).verdict is Verdict.PASS, timeout=120)


@pytest.mark.covers("faults from outside", "an app that stands still is silent, its neighbour not")
def test_an_app_that_stands_still(product: Product) -> None:
    with frozen(apps(product.cluster, "victim")):
        claim, other = look(product), look(product, "neighbour")
    assert found(claim) == (Verdict.INCONCLUSIVE, "silent", Hop.WAIT, "devbox"), claim.reason
    assert other.verdict is Verdict.PASS, other.reason


@contextmanager
def patched(cluster: Cluster, selector: dict[str, str]) -> Iterator[None]:
    """kourier's Service with another selector, as somebody might edit it."""

    def patch(labels: dict[str, str]) -> None:
        change = json.dumps([{"op": "replace", "path": "/spec/selector", "value": labels}])
        where = ("patch", "service", "kourier", "-n", "kourier-system")
        done = cluster.kubectl(*where, "--type=json", "-p", change)
        assert done.code == 0, done.err

    before = cluster.get("service", "kourier", "kourier-system")["spec"]["selector"]
    patch(selector)
    try:
        yield
    finally:
        patch(before)


@pytest.mark.covers("faults from outside", "kourier's Service without endpoints refuses outside")
def test_a_gateway_whose_service_selects_nothing(product: Product) -> None:
    with patched(product.cluster, {"app": "nobody"}):
        eventually(lambda: look(product, "victim", "gateway").verdict is not Verdict.PASS)
        claim = look(product)
        assert product.read("victim").mismatches == ()
    expected = (Verdict.INCONCLUSIVE, "gateway-not-exposed", Hop.CONNECT, "devbox")
    assert found(claim) == expected, claim.reason
    eventually(lambda: look(product).verdict is Verdict.PASS, timeout=60)


@contextmanager
def scaled_to_nothing(cluster: Cluster, namespace: str, name: str) -> Iterator[None]:
    """A component that somebody has taken away with kubectl scale."""

    def scale(replicas: int, wanted: str) -> None:
        what = (f"deployment/{name}", "-n", namespace)
        done = cluster.kubectl("scale", *what, f"--replicas={replicas}")
        assert done.code == 0, done.err
        done = cluster.kubectl("wait", *what, f"--for=jsonpath={wanted}", "--timeout=60s")
        assert done.code == 0, done.err

    scale(0, "{.status.observedGeneration}")
    pods = ("get", "pods", "-n", namespace, "-l", f"app={name}", "-o", "name")
    eventually(lambda: not cluster.kubectl(*pods).out, timeout=60)
    try:
        yield
    finally:
        scale(1, "{.status.readyReplicas}=1")


@pytest.mark.covers("faults from outside", "a gateway of no replicas refuses everybody")
def test_a_gateway_of_no_replicas(product: Product) -> None:
    if product.cluster.info["pod_network"] != "netns":
        pytest.skip("only there pods reach the gateway's port itself")
    with scaled_to_nothing(product.cluster, "kourier-system", "3scale-kourier-gateway"):
        claim = look(product)
        assert product.read("victim").mismatches == ()
    expected = (Verdict.INCONCLUSIVE, "nothing-listens", Hop.CONNECT, "devbox")
    assert found(claim) == expected, claim.reason


@pytest.mark.covers("faults from outside", "without activators the gateway has nobody to ask")
def test_no_activator(product: Product) -> None:
    with scaled_to_nothing(product.cluster, "knative-serving", "activator"):
        eventually(lambda: look(product, "victim", "gateway").verdict is not Verdict.PASS)
        claim = look(product)
    expected = (Verdict.INCONCLUSIVE, "no-healthy-upstream", Hop.STATUS, "devbox")
    assert found(claim) == expected, claim.reason


def nowhere(question: Question) -> bytes:
    return reply(question, rcode=3)


def elsewhere(question: Question) -> bytes:
    """An address of this machine at which nobody listens."""
    return reply(question, a(question.name, ELSEWHERE))


def broken(question: Question) -> bytes:
    return reply(question, rcode=2)


def mute(_: Question) -> None:
    return None


@pytest.mark.covers("faults from outside", "a resolver that is wrong breaks the devbox alone")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (nowhere, ("dns-not-found", Hop.RESOLVE)),
        (broken, ("dns-error", Hop.RESOLVE)),
        (mute, ("dns-silent", Hop.RESOLVE)),
        (elsewhere, ("public-port-closed", Hop.CONNECT)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_resolver_that_is_wrong(product: Product, answer: Any, expected: tuple[str, Hop]) -> None:
    with serve_dns(answer) as server:
        claim = look(product, "victim", "devbox", "gateway", resolver=server.address)
    assert found(claim) == (Verdict.INCONCLUSIVE, *expected, "devbox"), claim.reason


class _Stranger(BaseHTTPRequestHandler):
    """A server that is nobody's gateway."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.covers("faults from outside", "a second process where the public name leads")
def test_another_process_at_the_address(product: Product) -> None:
    port = product.cluster.info["gateway"]["http"]
    with HTTPServer((ELSEWHERE, port), _Stranger) as stranger, serve_dns(elsewhere) as resolver:
        thread = Thread(target=stranger.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        claim = look(product, "victim", "devbox", "gateway", resolver=resolver.address)
        stranger.shutdown()
        thread.join()
    expected = (Verdict.INCONCLUSIVE, "another-server", Hop.STATUS, "devbox")
    assert found(claim) == expected, claim.reason


@contextmanager
def expired(product: Product, folder: Path) -> Iterator[None]:
    """The gateway's certificate replaced by one of the same authority that has expired."""
    state = product.cluster.kubeconfig.parent
    key = load_pem_private_key((state / "pki" / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    own = x509.load_pem_x509_certificate((state / "pki" / "ca.crt").read_bytes())
    host = urlsplit(product.read("victim").url).hostname or ""
    pem = Authority(folder, key, own).leaf(host, starts=-9, ends=-2).read_text()
    secrets = state / "gateway" / "secrets.json"
    before = secrets.read_text()
    changed = json.loads(before)
    changed["resources"][0]["tls_certificate"] = {
        "certificate_chain": {"inline_string": pem},
        "private_key": {"inline_string": pem},
    }
    _swap(secrets, json.dumps(changed))
    try:
        yield
    finally:
        _swap(secrets, before)


def _swap(file: Path, text: str) -> None:
    """Replace a file at once: Envoy takes a renamed file for a new version."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


@pytest.mark.covers("faults from outside", "a certificate that has expired breaks at the hop tls")
def test_a_certificate_that_has_expired(product: Product, tmp_path: Path) -> None:
    def over_tls() -> Claim:
        return look(product, "victim", "gateway", scheme="https")

    eventually(lambda: over_tls().verdict is Verdict.PASS, timeout=60)
    with expired(product, tmp_path):
        eventually(lambda: over_tls().verdict is not Verdict.PASS, timeout=60)
        claim = over_tls()
    assert found(claim) == (Verdict.INCONCLUSIVE, "tls-expired", Hop.TLS, "gateway"), claim.reason
    eventually(lambda: over_tls().verdict is Verdict.PASS, timeout=60)


@pytest.mark.covers("faults from outside", "an app that is killed is silent, READY in doubt")
def test_an_app_that_is_killed_again_and_again(product: Product) -> None:
    with killing(product.cluster, "victim"):
        doubt = "EndpointSlices of victim-00001-private: 0 of 1 ready"
        eventually(lambda: doubt in product.read("victim").doubts, timeout=60)
        claim = look(product)
    assert found(claim) == (Verdict.INCONCLUSIVE, "silent", Hop.WAIT, "devbox"), claim.reason
    assert f"READY=True, but {doubt}" in claim.contradicts


@pytest.mark.covers("faults from outside", "a patched KService answers with another body")
def test_a_service_that_somebody_patched(product: Product) -> None:
    product.up("patched")
    wanted = {"body": {"contains": "target=one"}}
    assert look(product, "patched", **wanted).verdict is Verdict.PASS
    container = echo("patched", "default", target="two")["spec"]["template"]["spec"]
    change = json.dumps({"spec": {"template": {"spec": container}}})
    done = product.cluster.kubectl("patch", "ksvc", "patched", "--type=merge", "-p", change)
    assert done.code == 0, done.err
    eventually(lambda: product.read("patched").latest_ready == "patched-00002", timeout=60)
    eventually(lambda: look(product, "patched", **wanted).diagnosis == "wrong-service", timeout=60)
    claim = look(product, "patched", **wanted)
    expected = (Verdict.INCONCLUSIVE, "wrong-service", Hop.BODY, "devbox")
    assert found(claim) == expected, claim.reason
