"""`vpm cluster down` of a kind cluster: what is deleted is what was looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.clusters.errors import DeletionRefused
from infra.clusters.images import Docker
from infra.clusters.kept import Kept, KindTools, delete_kept, find_kept
from infra.clusters.kind_cli import Kind
from infra.clusters.resources import DEPLOYMENT
from infra.clusters.state import ClusterFolder
from tests.support.fake_kube import named, namespace
from tests.support.kind_machine import Machine
from tests.support.standin import Call, install


@pytest.fixture
def kept(machine: Machine) -> Kept:
    """A kept cluster of this machine."""
    with machine.driver().open(machine.request()):
        pass
    return find_kept("vpm-mini", home=machine.folder / "home")


@pytest.fixture
def tools(machine: Machine, kept: Kept) -> KindTools:
    """kind, and a docker whose node carries the token of the kept cluster."""
    return KindTools(Kind(machine.folder / "bin" / "kind"), docker(machine, kept.record.owner))


def docker(machine: Machine, owner: str) -> Docker:
    copied = machine.folder / "kubeadm.conf"
    copied.write_text(f'node-labels: "vpm.dev/created-by={owner}"\n')
    copy = Call(("cp", "vpm-mini-control-plane:/kind/kubeadm.conf", "{to}"), copies=str(copied))
    return Docker(install(machine.folder / "docker-bin", "docker", [copy]))


def deleted(machine: Machine) -> bool:
    return ["delete", "cluster"] in [call[:2] for call in machine.kind_calls]


def again(kept: Kept, **changes: Any) -> Kept:
    """The same folder with a record in which somebody has written something else."""
    file = kept.folder.path / "created.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    record = kept.folder.record()
    assert record is not None
    return Kept(kept.folder, record)


def test_an_own_cluster_goes(machine: Machine, kept: Kept, tools: KindTools) -> None:
    delete_kept(kept, tools=tools)
    assert deleted(machine)
    assert kept.folder.record() is None


def test_one_that_is_gone_already_is_forgotten(machine: Machine, kept: Kept) -> None:
    (machine.folder / "bin" / "kind.state").write_text("deleted")
    delete_kept(kept, tools=KindTools(Kind(machine.folder / "bin" / "kind"), docker(machine, "")))
    assert not deleted(machine)
    assert kept.folder.record() is None


@pytest.mark.parametrize("confirm", [None, "wrong"])
def test_foreign_workloads_need_its_uid(
    machine: Machine, kept: Kept, tools: KindTools, confirm: str | None
) -> None:
    machine.kube.put(*named(DEPLOYMENT, "default", "somebody-elses"))
    with pytest.raises(DeletionRefused, match="Deployment default/somebody-elses") as caught:
        delete_kept(kept, tools=tools, confirm=confirm)
    assert (f"--confirm {confirm} is not its UID" in caught.value.message) == bool(confirm)
    assert not deleted(machine)
    delete_kept(kept, tools=tools, confirm=kept.record.uid)
    assert deleted(machine)


def _another_cluster(machine: Machine) -> None:
    del machine.kube.objects["", "namespaces", "", "kube-system"]
    machine.kube.put(*namespace("kube-system"))


def _no_label(machine: Machine) -> None:
    metadata = machine.kube.objects["", "namespaces", "", "kube-system"]["metadata"]
    metadata["labels"] = {}


@pytest.mark.parametrize("change", [_another_cluster, _no_label])
def test_another_cluster_is_not_confirmed_away(
    machine: Machine, kept: Kept, tools: KindTools, change: Callable[[Machine], None]
) -> None:
    change(machine)
    for confirm in (None, kept.record.uid):
        with pytest.raises(DeletionRefused, match="is not deleted"):
            delete_kept(kept, tools=tools, confirm=confirm)
    assert not deleted(machine)


@pytest.mark.parametrize(
    "changes",
    [{"name": "other"}, {"provider": "embedded"}, {"kubeconfig": "/tmp/somewhere/else"}],
)
def test_a_forged_record_is_refused_whatever_is_confirmed(
    machine: Machine, kept: Kept, tools: KindTools, changes: dict[str, str]
) -> None:
    forged = again(kept, **changes)
    with pytest.raises(DeletionRefused, match="is about another cluster"):
        delete_kept(forged, tools=tools, confirm=forged.record.uid)
    assert not deleted(machine)


def test_a_record_of_another_machines_cluster_deletes_nothing(
    machine: Machine, kept: Kept, tools: KindTools
) -> None:
    forged = again(kept, uid="11111111-2222-3333-4444-555555555555", owner="f" * 16)
    with pytest.raises(DeletionRefused, match="its UID is"):
        delete_kept(forged, tools=tools, confirm=forged.record.uid)
    assert not deleted(machine)


def test_a_stopped_one_needs_its_uid_and_its_token(
    machine: Machine, kept: Kept, tools: KindTools
) -> None:
    machine.server.refuse["/api/v1/namespaces/kube-system"] = 503
    with pytest.raises(DeletionRefused, match="what it carries cannot be seen"):
        delete_kept(kept, tools=tools)
    stranger = KindTools(tools.kind, docker(machine, "f" * 16))
    with pytest.raises(DeletionRefused, match="does not carry the token"):
        delete_kept(kept, tools=stranger, confirm=kept.record.uid)
    assert not deleted(machine)
    own = KindTools(tools.kind, docker(machine, kept.record.owner))
    delete_kept(kept, tools=own, confirm=kept.record.uid)
    assert deleted(machine)


def test_what_is_in_use_is_left(kept: Kept, tools: KindTools, tmp_path: Path) -> None:
    with kept.folder.locked(), pytest.raises(DeletionRefused, match="in use by another run"):
        delete_kept(kept, tools=tools)
    assert ClusterFolder(kept.folder.path).record() == kept.record
