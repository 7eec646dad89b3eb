"""A cluster that is already there: looked at, used, never changed unless asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from socket import socket

import pytest

from harness.core.errors import ClusterError, UsageError
from harness.ports import ClusterRequest
from infra.clusters.errors import (
    ForeignIngress,
    GatewayUnreachable,
    KnativeIncomplete,
    KnativeMissing,
    VersionSkew,
    WrongContext,
)
from infra.clusters.existing import ExistingDriver
from infra.clusters.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    KOURIER_NAMESPACE,
    NODE,
    SERVICE,
    SERVING_NAMESPACE,
)
from infra.knative.install import Installer
from infra.kube import ApiError, Unreachable
from tests.support.api_server import ApiServer, knative_objects, serving
from tests.support.fake_install import FakeKubectl, gateway, write_manifests
from tests.support.fake_kube import FakeKube, named, namespace
from tests.support.standin import Call, install


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving(FakeKube(*knative_objects())) as running:
        yield running


@pytest.fixture
def request_(server: ApiServer, tmp_path: Path) -> Callable[..., ClusterRequest]:
    kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig", "dev")

    def make(**changes: object) -> ClusterRequest:
        base = {
            "name": "vpm-mini",
            "context": "dev",
            "gateway": "127.0.0.1:8080",
            "options": {"kubeconfig": str(kubeconfig)},
        }
        return ClusterRequest(**{**base, **changes})  # type: ignore[arg-type]

    return make


def test_what_is_given_is_used(server: ApiServer, request_: Callable[..., ClusterRequest]) -> None:
    driver = ExistingDriver(chosen_because="a test asks for it")
    with driver.open(request_(gateway="gw.example:31080")) as cluster:
        assert (cluster.gateway.host, cluster.gateway.http_port) == ("gw.example", 31080)
        assert cluster.domain == "127.0.0.1.sslip.io"
        assert cluster.identity.provider == "existing"
        assert cluster.identity.ingress_version == "1.18.0"
        assert not cluster.identity.emulator
        assert "owned" not in cluster.capabilities
        assert cluster.faults is None
    with driver.open(request_(domain="dev.example.org")) as cluster:
        assert cluster.domain == "dev.example.org"
    assert server.kube.calls == []


def test_an_emulator_behind_a_context_is_called_one(
    server: ApiServer, request_: Callable[..., ClusterRequest]
) -> None:
    server.kube.version = "1.33.13+embedded"
    with ExistingDriver().open(request_()) as cluster:
        assert cluster.identity.emulator


def test_the_gateway_is_found_by_nodeport(
    server: ApiServer, request_: Callable[..., ClusterRequest]
) -> None:
    with gateway() as port:
        _offer(server.kube, port)
        with ExistingDriver().open(request_(gateway=None)) as cluster:
            assert (cluster.gateway.host, cluster.gateway.http_port) == ("127.0.0.1", port)


def test_a_port_forward_is_the_last_resort(
    request_: Callable[..., ClusterRequest], tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    forward = (
        f"--kubeconfig={kubeconfig}", "--context=dev", f"--namespace={KOURIER_NAMESPACE}",
        "port-forward", "--address=127.0.0.1", "--pod-running-timeout=5s", "service/kourier",
        ":80",
    )  # fmt: skip
    said = "Forwarding from 127.0.0.1:40123 -> 8080\n"
    program = install(tmp_path / "bin", "kubectl", [Call(forward, stdout=said)])
    lines: list[str] = []
    driver = ExistingDriver(progress=lines.append, kubectl=program)
    with driver.open(request_(gateway=None)) as cluster:
        assert (cluster.gateway.http_port, cluster.gateway.forwarded) == (40123, True)
        assert "reached by kubectl port-forward" in cluster.notes[0]
    assert lines[0] == "asking the cluster of context dev"
    assert "kourier does not exist; using kubectl port-forward" in lines[1]
    install(tmp_path / "bin", "kubectl", [Call(forward, stderr="error: no pods\n", exit=1)])
    with (
        pytest.raises(GatewayUnreachable, match=r"kourier does not exist; .*no pods"),
        driver.open(request_(gateway=None)),
    ):
        pass


def test_a_gateway_that_does_not_answer_is_there_to_be_probed(
    server: ApiServer, request_: Callable[..., ClusterRequest], tmp_path: Path
) -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        _offer(server.kube, port)
        script = tmp_path / "kubectl"
        script.write_text("#!/bin/sh\necho 'error: no pods' >&2\nexit 1\n")
        script.chmod(0o755)
        with ExistingDriver(kubectl=script).open(request_(gateway=None)) as cluster:
            assert (cluster.gateway.host, cluster.gateway.http_port) == ("127.0.0.1", port)
            assert not cluster.gateway.forwarded
        assert "refused" in cluster.notes[0]
        assert cluster.notes[1] == "kubectl port-forward to the gateway failed: error: no pods"


def _offer(kube: FakeKube, port: int) -> None:
    kube.put(NODE, {
        "metadata": {"name": "n"},
        "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]},
    })  # fmt: skip
    ports = [{"port": 80, "nodePort": port}]
    kube.put(*named(SERVICE, KOURIER_NAMESPACE, "kourier", spec={"ports": ports}))


def _no_knative(server: ApiServer) -> None:
    server.kube.hidden.add("serving.knative.dev")
    for name in ("activator", "autoscaler", "controller", "webhook"):
        del server.kube.objects["apps", "deployments", SERVING_NAMESPACE, name]


def _no_kinds(server: ApiServer) -> None:
    server.kube.hidden.add("serving.knative.dev")


def _half_installed(server: ApiServer) -> None:
    del server.kube.objects["apps", "deployments", SERVING_NAMESPACE, "webhook"]


def _not_running(server: ApiServer) -> None:
    server.kube.put(*named(DEPLOYMENT, SERVING_NAMESPACE, "activator", status={}))


def _old(server: ApiServer) -> None:
    server.kube.version = "1.29.0"


def _istio(server: ApiServer) -> None:
    data = {"ingress-class": "istio.ingress.networking.knative.dev"}
    server.kube.put(*named(CONFIG_MAP, SERVING_NAMESPACE, "config-network", data=data))


def _expired(server: ApiServer) -> None:
    server.refuse["/api/v1/namespaces/kube-system"] = 401


def _forbidden(server: ApiServer) -> None:
    server.refuse["/api/v1/namespaces/kube-system"] = 403


@pytest.mark.parametrize(
    ("arrange", "error", "words"),
    [
        (_no_knative, KnativeMissing, "has no Knative Serving"),
        (_no_kinds, KnativeIncomplete, "kinds are not served"),
        (_half_installed, KnativeIncomplete, "webhook is missing"),
        (_not_running, KnativeIncomplete, "activator is not Available"),
        (_old, VersionSkew, "needs 1.31 or later"),
        (_istio, ForeignIngress, "istio"),
        (_expired, ApiError, "401"),
        (_forbidden, ApiError, "403"),
    ],
)
def test_each_unusable_cluster_has_a_named_error_and_is_not_changed(
    server: ApiServer,
    request_: Callable[..., ClusterRequest],
    arrange: Callable[[ApiServer], None],
    error: type[ClusterError],
    words: str,
) -> None:
    arrange(server)
    request = request_(gateway=None if error is ForeignIngress else "127.0.0.1:8080")
    with pytest.raises(error, match=words) as caught, ExistingDriver().open(request):
        pass
    assert caught.value.mend
    assert caught.value.exit_code == 4
    assert server.kube.calls == []


def test_a_foreign_ingress_is_used_when_its_gateway_is_named(
    server: ApiServer, request_: Callable[..., ClusterRequest]
) -> None:
    _istio(server)
    with ExistingDriver().open(request_()) as cluster:
        assert cluster.notes == ("ingress class istio.ingress.networking.knative.dev",)


def test_contexts_outside_the_allow_list_are_refused_before_the_first_request(
    server: ApiServer, request_: Callable[..., ClusterRequest]
) -> None:
    with (
        pytest.raises(WrongContext, match="not allowed here"),
        ExistingDriver().open(request_(allowed_contexts=("kind-*",))),
    ):
        pass
    assert server.requests == []


@pytest.mark.parametrize(
    "changes",
    [
        {"context": None},
        {"gateway": "nowhere"},
        {"options": {"time-scale": "2"}},
        {"options": {"kubeconfig": "/nowhere/config"}},
    ],
)
def test_bad_usage(
    server: ApiServer, request_: Callable[..., ClusterRequest], changes: dict[str, object]
) -> None:
    with pytest.raises(UsageError), ExistingDriver().open(request_(**changes)):
        pass
    assert server.requests == []


def test_an_api_that_is_gone(tmp_path: Path) -> None:
    with serving(FakeKube()) as server:
        kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig", "gone")
    request = ClusterRequest(name="x", context="gone", options={"kubeconfig": str(kubeconfig)})
    with pytest.raises(Unreachable), ExistingDriver().open(request):
        pass


def _at(request_: Callable[..., ClusterRequest], port: int) -> ClusterRequest:
    return request_(bootstrap=True, gateway=f"127.0.0.1:{port}")


def test_bootstrap_without_an_installer_is_an_error(
    request_: Callable[..., ClusterRequest], server: ApiServer
) -> None:
    with (
        pytest.raises(ClusterError, match="without an installer"),
        ExistingDriver().open(request_(bootstrap=True)),
    ):
        pass
    assert server.kube.calls == []


def test_bootstrap_on_request_installs_everything_but_the_nodeports(
    request_: Callable[..., ClusterRequest], server: ApiServer, tmp_path: Path
) -> None:
    server.kube.objects.clear()
    server.kube.put(*namespace("kube-system"))
    installer = Installer(
        kubectl=lambda _kubeconfig, _context: FakeKubectl(server.kube),
        manifests=write_manifests(tmp_path / "manifests"),
    )
    driver = ExistingDriver(installer=installer)
    with gateway() as port, driver.open(_at(request_, port)) as cluster:
        assert cluster.identity.knative_version == "1.18.1"
        assert cluster.domain == "127.0.0.1.sslip.io"
    assert ("patch", "Service/kourier") not in server.kube.calls
    changed = len(server.kube.calls)
    with gateway() as port, driver.open(_at(request_, port)):
        pass
    assert len(server.kube.calls) == changed
