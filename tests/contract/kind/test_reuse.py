"""A kind cluster that is there already: used as it was created, or refused with a mend."""

from __future__ import annotations

import pytest

from harness.core.errors import UsageError
from infra.clusters.errors import NodeNotReady
from infra.clusters.images import Docker
from infra.clusters.state import ClusterFolder
from tests.support.fake_kube import namespace
from tests.support.kind_machine import IMAGE, Machine
from tests.support.standin import Call, install


@pytest.fixture
def used(machine: Machine) -> Machine:
    """A machine whose cluster was created by an earlier run."""
    with machine.driver().open(machine.request()):
        pass
    return machine


def folder_of(machine: Machine) -> ClusterFolder:
    return ClusterFolder.of("kind", "vpm-mini", home=machine.folder / "home")


def test_the_ports_of_its_creation_are_used_without_being_named(used: Machine) -> None:
    with used.driver().open(used.request(options={})) as cluster:
        assert cluster.gateway.http_port == used.port


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"http-port": "1"}, "was created with http-port"),
        ({"image": "kindest/node:v1.34.0"}, f"with image {IMAGE}, not kindest/node:v1.34.0"),
        ({"address": "0.0.0.0"}, "was created with address 127.0.0.1"),
    ],
)
def test_what_cannot_be_changed_is_refused_and_not_ignored(
    used: Machine, options: dict[str, str], words: str
) -> None:
    with (
        pytest.raises(UsageError, match=words) as caught,
        used.driver().open(used.request(options=options)),
    ):
        pass
    assert "vpm cluster down vpm-mini" in (caught.value.mend or "")


@pytest.mark.parametrize("image", [IMAGE, IMAGE.partition("@")[0]])
def test_the_same_image_is_no_contradiction(used: Machine, image: str) -> None:
    with used.driver().open(used.request(options={"image": image})):
        pass


def test_a_fresh_one_is_not_made_by_deleting(used: Machine) -> None:
    with (
        pytest.raises(UsageError, match="a fresh one was asked for"),
        used.driver().open(used.request(fresh=True)),
    ):
        pass


@pytest.mark.parametrize("port", ["0", "65536", "-1", "٣", "eighty", ""])
def test_what_is_no_port(machine: Machine, port: str) -> None:
    with (
        pytest.raises(UsageError, match="is not a port"),
        machine.driver().open(machine.request(options={"http-port": port})),
    ):
        pass
    assert machine.kind_calls == []


@pytest.mark.parametrize("status", ["exited", "paused", "created"])
def test_a_stopped_node_is_named(used: Machine, status: str) -> None:
    inspect = ("inspect", "--format={{.State.Status}}", "vpm-mini-control-plane")
    docker = Docker(install(used.folder / "d", "docker", [Call(inspect, stdout=f"{status}\n")]))
    used.server.refuse["/api/v1/namespaces/kube-system"] = 503
    with (
        pytest.raises(NodeNotReady, match=f"vpm-mini-control-plane .* is {status}") as caught,
        used.driver(docker=docker).open(used.request()),
    ):
        pass
    assert "docker start vpm-mini-control-plane" in (caught.value.mend or "")


def test_another_cluster_in_its_place_is_neither_bootstrapped_nor_deleted(used: Machine) -> None:
    kube = used.kube
    del kube.objects["", "namespaces", "", "kube-system"]
    kube.put(*namespace("kube-system"))  # The same name, another UID.
    writes = len(kube.calls)
    with used.driver().open(used.request(keep="never")) as cluster:
        assert "owned" not in cluster.capabilities
    assert kube.calls[writes:] == []
    assert "delete" not in [call[0] for call in used.kind_calls]
    assert folder_of(used).record() is None
    assert any("is not the one that the harness created" in line for line in used.lines)
