"""What a cluster is made of before anybody asks: objects, CRDs, certificates, addresses."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from infra.embedded import kubeconfig
from infra.embedded.address import can_bind, free_address, is_loopback, listen
from infra.embedded.bootstrap import bootstrap
from infra.embedded.certs import Authority
from infra.embedded.clock import Clock, parse_rfc3339, rfc3339
from infra.embedded.crds import Definitions, kinds_of
from infra.embedded.kinds import BUILT_IN, CONFIGMAP, CRD, KSERVICE, NAMESPACE, NODE, Registry
from infra.embedded.lock import AlreadyRunning, hold
from infra.embedded.store import Store


def store() -> Store:
    made = Store(Clock())
    bootstrap(made, domain="127.1.2.3.sslip.io", node="n", api=("127.1.2.3", 6443))
    return made


def test_bootstrap_is_idempotent() -> None:
    made = store()
    before = made.revision
    bootstrap(made, domain="other", node="n", api=("127.1.2.3", 6443))
    assert made.revision == before
    domain = made.get(CONFIGMAP, "knative-serving", "config-domain")["data"]
    assert {k: v for k, v in domain.items() if k != "_example"} == {"127.1.2.3.sslip.io": ""}


def test_versions_can_be_read_from_labels() -> None:
    made = store()
    labels = made.get(NAMESPACE, "", "knative-serving")["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == "1.18.2"
    assert made.get(NODE, "", "n")["status"]["conditions"][0]["status"] == "True"


def test_every_kind_of_knative_has_an_established_crd() -> None:
    crds = {crd["metadata"]["name"]: crd for crd in store().list(CRD)}
    assert set(crds) == {kind.resource for kind in BUILT_IN if kind.custom}
    for crd in crds.values():
        conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
        assert conditions["Established"] == "True"


def test_a_crd_of_a_built_in_kind_changes_nothing() -> None:
    crd = store().get(CRD, "", KSERVICE.resource)
    assert kinds_of(crd) == [KSERVICE]
    assert kinds_of(crd)[0].columns == KSERVICE.columns


def test_a_version_that_is_no_longer_served_is_forgotten() -> None:
    registry = Registry()
    definitions = Definitions(registry)
    version = {"served": True, "storage": False}
    crd = {
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", **version}, {"name": "v2", **version, "storage": True}],
        },
    }
    definitions.define(crd)
    assert [k.version for k in registry if k.group == "example.com"] == ["v2", "v1"]
    crd["spec"]["versions"] = crd["spec"]["versions"][1:]  # type: ignore[index]
    definitions.define(crd)
    assert [k.version for k in registry if k.group == "example.com"] == ["v2"]
    definitions.forget(crd)
    assert not [k for k in registry if k.group == "example.com"]


def test_the_authority_is_kept_and_its_certificates_are_trusted(tmp_path: Path) -> None:
    first = Authority.open(tmp_path, "c")
    assert Authority.open(tmp_path, "c") == first
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600
    pair = first.issue("server", ["127.0.0.1", "kubernetes.default.svc"])
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kubernetes.default.svc"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(first.pair.certificate))
    ssl.create_default_context(cadata=first.pair.certificate.decode())


def test_the_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    kubeconfig.write(path, name="x", server="https://127.0.0.1:1", authority=b"PEM", token="t")
    content = yaml.safe_load(path.read_text())
    assert content["current-context"] == "embedded-x"
    assert content["users"] == [{"name": "embedded-x", "user": {"token": "t"}}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_process_holds_a_directory(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(AlreadyRunning, match="already running"), hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


def test_addresses() -> None:
    address = free_address((0,))
    assert is_loopback(address)
    with listen(address, 0) as taken:
        port = taken.getsockname()[1]
        assert not can_bind(address, port)
        with listen(address, port) as other:
            assert other.getsockname()[1] != port


@pytest.mark.parametrize("text", ["8.8.8.8", "localhost", "", "127.0.0.300"])
def test_what_is_no_loopback_address(text: str) -> None:
    assert not is_loopback(text)


def test_a_clock_runs_at_its_scale() -> None:
    seconds = iter([100.0, 100.0, 100.005])
    clock = Clock(scale=1000, monotonic=lambda: next(seconds))
    begin = clock.now()
    assert (clock.now() - begin).total_seconds() == pytest.approx(5)
    assert parse_rfc3339(rfc3339(begin)) == begin.replace(microsecond=0)
    with pytest.raises(ValueError, match="must be positive"):
        Clock(scale=0)
