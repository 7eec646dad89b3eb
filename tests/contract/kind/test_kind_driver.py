"""The kind driver: command lines, order, what it writes down, and what it refuses."""

from __future__ import annotations

import pytest
import yaml

from harness.core.errors import ClusterError, UsageError
from infra.clusters.errors import (
    AccessDenied,
    EngineUnavailable,
    ImageUnavailable,
    NodeNotReady,
    PortTaken,
    ResourcesExhausted,
    VersionSkew,
)
from infra.clusters.kind_cli import Kind
from infra.clusters.kind_config import host_ports
from infra.clusters.owner import OWNER_LABEL
from infra.clusters.resources import DEPLOYMENT, NAMESPACE, label_of
from infra.clusters.state import ClusterFolder, CreatedCluster
from tests.support.fake_install import gateway
from tests.support.fake_kube import named
from tests.support.kind_machine import IMAGE, Machine
from tests.support.standin import Call


def record_of(machine: Machine) -> CreatedCluster | None:
    return ClusterFolder.of("kind", "vpm-mini", home=machine.folder / "home").record()


def test_a_cluster_is_created_bootstrapped_and_kept(machine: Machine) -> None:
    with machine.driver().open(machine.request()) as cluster:
        assert cluster.identity.provider == "kind"
        assert cluster.identity.knative_version == "1.18.1"
        assert not cluster.identity.emulator
        assert (cluster.gateway.host, cluster.gateway.http_port) == ("127.0.0.1", machine.port)
        assert cluster.domain == "127.0.0.1.sslip.io"
        assert cluster.context == "kind-vpm-mini"
        assert "owned" in cluster.capabilities
    record = record_of(machine)
    assert record is not None
    assert record.uid == cluster.identity.uid
    assert record.details["node_image"] == IMAGE
    living = machine.kube.get(NAMESPACE, "", "kube-system")
    assert label_of(living, OWNER_LABEL) == record.owner
    verbs = [" ".join(call[:2]) for call in machine.kind_calls]
    assert verbs == ["get clusters", "version", "get clusters", "create cluster"]


def test_the_configuration_maps_the_asked_ports_to_the_nodeports(machine: Machine) -> None:
    with machine.driver().open(machine.request()):
        pass
    config = machine.folder / "home" / "kind" / "vpm-mini" / "kind-cluster.yaml"
    assert yaml.safe_load(config.read_text())["name"] == "vpm-mini"
    ports = host_ports(config.read_text())
    assert (ports.address, ports.http) == ("127.0.0.1", machine.port)


def test_a_second_open_reuses_it_and_changes_nothing(machine: Machine) -> None:
    with machine.driver().open(machine.request()) as first:
        pass
    writes, created = len(machine.kube.calls), len(machine.kind_calls)
    told = len(machine.lines)
    with machine.driver().open(machine.request()) as second:
        assert second.identity.uid == first.identity.uid
    assert machine.kube.calls[writes:] == []
    assert machine.kind_calls[created:] == [["get", "clusters"]]
    assert sum("already right" in line for line in machine.lines[told:]) == 7


def test_keep_never_deletes_what_this_run_created(machine: Machine) -> None:
    with machine.driver().open(machine.request(keep="never")):
        pass
    assert machine.kind_calls[-1][:2] == ["delete", "cluster"]
    assert record_of(machine) is None


def test_keep_never_spares_what_somebody_put_there_meanwhile(machine: Machine) -> None:
    with machine.driver().open(machine.request(keep="never")):
        machine.kube.put(*named(DEPLOYMENT, "default", "somebody-elses"))
    assert machine.kind_calls[-1][:2] != ["delete", "cluster"]
    assert "foreign: Deployment default/somebody-elses" in machine.lines[-1]


def test_a_failed_run_is_kept_on_failure(machine: Machine) -> None:
    with pytest.raises(ClusterError, match="the run failed"):
        _fail_within(machine)
    assert machine.kind_calls[-1][:2] != ["delete", "cluster"]


def _fail_within(machine: Machine) -> None:
    with machine.driver().open(machine.request(keep="on-failure")):
        raise ClusterError("the run failed")


def test_a_cluster_of_others_is_used_but_never_changed_or_deleted(machine: Machine) -> None:
    with machine.driver().open(machine.request()):
        pass
    ClusterFolder.of("kind", "vpm-mini", home=machine.folder / "home").forget()
    writes = len(machine.kube.calls)
    with machine.driver().open(machine.request(keep="never")) as cluster:
        assert "owned" not in cluster.capabilities
    assert machine.kube.calls[writes:] == []
    assert machine.kind_calls[-1][:2] == ["export", "kubeconfig"]


# What kind prints on failure, as in its documentation and issues.
FAILURES = [
    (
        "ERROR: failed to create cluster: failed to list nodes: Cannot connect to the Docker "
        "daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
        EngineUnavailable,
    ),
    (
        "ERROR: failed to create cluster: docker run error: Bind for 127.0.0.1:80 failed: port "
        "is already allocated\n",
        PortTaken,
    ),
    (
        'ERROR: failed to create cluster: failed to pull image "kindest/node:v1.33.1": command '
        '"docker pull kindest/node:v1.33.1" failed with error: exit status 1\n',
        ImageUnavailable,
    ),
    (
        "ERROR: failed to create cluster: failed to init node with kubeadm: command failed\n",
        NodeNotReady,
    ),
    ("ERROR: failed to create cluster: write: no space left on device\n", ResourcesExhausted),
    ("ERROR: could not find a log line: too many open files\n", ResourcesExhausted),
    (
        "ERROR: failed to create cluster: running kind with rootless provider requires setting "
        'systemd property "Delegate=yes", see https://kind.sigs.k8s.io/docs/user/rootless/\n',
        EngineUnavailable,
    ),
    (
        "ERROR: failed to create cluster: docker run error: cannot expose privileged port 80, you "
        "can add 'net.ipv4.ip_unprivileged_port_start=80' to /etc/sysctl.conf\n",
        PortTaken,
    ),
    (
        "ERROR: failed to load image: ctr: content digest sha256:b1addbe72465: not found\n",
        ImageUnavailable,
    ),
    ("ERROR: something that nobody has seen\n", ClusterError),
]


@pytest.mark.parametrize(("stderr", "error"), FAILURES)
def test_a_failed_creation_is_named_and_leaves_no_record(
    machine: Machine, stderr: str, error: type[ClusterError]
) -> None:
    create = next(call for call in machine.transcript if call.args[0] == "create")
    failing = Call(create.args, stderr=stderr, exit=1)
    driver = machine.driver(transcript=[failing])
    with pytest.raises(error) as caught, driver.open(machine.request()):
        pass
    assert type(caught.value) is error
    assert caught.value.mend
    assert stderr.strip()[:40] in caught.value.message
    assert record_of(machine) is None
    assert machine.kube.calls == []


def test_a_bundles_images_are_in_the_node_before_anything_needs_them(machine: Machine) -> None:
    archive = machine.folder / "manifests" / "images.tar"
    archive.parent.mkdir()
    archive.write_bytes(b"images")
    load = Call(("load", "image-archive", "--name", "vpm-mini", str(archive)), when="created")
    with machine.driver(transcript=[load]).open(machine.request()):
        pass
    assert [call[0] for call in machine.kind_calls][-2:] == ["create", "load"]


def test_what_a_failed_creation_left_is_removed(machine: Machine) -> None:
    create = next(call for call in machine.transcript if call.args[0] == "create")
    half = Call(create.args, stderr="ERROR: node is not ready\n", exit=1, then="created")
    with (
        pytest.raises(NodeNotReady),
        machine.driver(transcript=[half]).open(machine.request(keep="always")),
    ):
        pass
    assert machine.kind_calls[-1][:2] == ["delete", "cluster"]


def test_a_failed_bootstrap_is_resumed_where_clusters_are_kept(machine: Machine) -> None:
    machine.kube.allowed = False
    with pytest.raises(AccessDenied), machine.driver().open(machine.request()):
        pass
    assert record_of(machine) is not None
    machine.kube.allowed = True
    with machine.driver().open(machine.request()) as cluster:
        assert cluster.identity.knative_version == "1.18.1"


def test_a_failed_bootstrap_leaves_nothing_where_clusters_are_not_kept(machine: Machine) -> None:
    machine.kube.allowed = False
    with pytest.raises(AccessDenied), machine.driver().open(machine.request(keep="never")):
        pass
    assert machine.kind_calls[-1][:2] == ["delete", "cluster"]
    assert record_of(machine) is None


def test_a_port_in_use_is_refused_before_anything_is_created(machine: Machine) -> None:
    with (
        gateway(machine.port),
        pytest.raises(PortTaken, match=f"port {machine.port} of 127.0.0.1 is in use"),
        machine.driver().open(machine.request()),
    ):
        pass
    assert "create" not in [call[0] for call in machine.kind_calls]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("kindest/node:v1.25.3", "Kubernetes 1.25.3; Knative 1.18 needs 1.31"),
        ("kindest/node:v1.30.9@sha256:" + "0" * 64, "needs 1.31"),
    ],
)
def test_an_old_node_image_is_refused_early(machine: Machine, image: str, words: str) -> None:
    request = machine.request()
    request = machine.request(options={**request.options, "image": image})
    with pytest.raises(VersionSkew, match=words), machine.driver().open(request):
        pass
    assert "create" not in [call[0] for call in machine.kind_calls]


def test_an_old_kind_is_refused(machine: Machine) -> None:
    old = Call(("version",), stdout="kind v0.17.0 go1.19.2 linux/amd64\n")
    with (
        pytest.raises(VersionSkew, match=r"kind v0\.17\.0.* too old"),
        machine.driver(transcript=[old]).open(machine.request()),
    ):
        pass


def test_an_engine_that_dies_between_two_calls(machine: Machine) -> None:
    dead = Call(("get", "clusters"), stderr="ERROR: Cannot connect to the Docker daemon\n", exit=1)
    with (
        pytest.raises(EngineUnavailable),
        machine.driver(transcript=[dead]).open(machine.request()),
    ):
        pass


@pytest.mark.parametrize("options", [{"time-scale": "2"}, {"http-port": "eighty"}])
def test_options_that_kind_does_not_have(machine: Machine, options: dict[str, str]) -> None:
    with pytest.raises(UsageError), machine.driver().open(machine.request(options=options)):
        pass
    assert machine.kind_calls == []


def test_pytest_kind_leaves_nothing_in_the_working_folder(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = machine.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with machine.driver().open(machine.request()):
        pass
    assert list(elsewhere.iterdir()) == []


def test_the_stand_in_rejects_what_is_not_in_its_transcript(machine: Machine) -> None:
    machine.driver()
    kind = Kind(machine.folder / "bin" / "kind")
    with pytest.raises(ClusterError, match="not in the transcript"):
        kind.export_logs("another", machine.folder)
