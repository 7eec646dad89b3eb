"""A thousand contracts that mean harm, and a few honest ones between them."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.observation import ContractObserved
from harness.runner.drain import Drained, drain
from tests.support.hostile import hostile_contracts
from tests.support.runner import HELLO, OVERLAY, Desk, make_desk, manifest

HOSTILE = 1000
HONEST = 5
ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: hello}\n"


def lay_traps(desk: Desk) -> None:
    """Files that hostile contracts point at."""
    overlay = desk.repo / OVERLAY
    outside = desk.repo / "outside.yaml"
    outside.write_text(manifest())
    (overlay / "evil-link.yaml").symlink_to(outside)
    (overlay / "two.yaml").write_text(f"{manifest()}---\n{ROLE}")
    (overlay / "role.yaml").write_text(ROLE)
    os.mkfifo(overlay / "pipe.yaml")
    for sibling in ("prod", "dev-evil"):
        folder = overlay.parent / sibling
        folder.mkdir()
        (folder / "hello-ksvc.yaml").write_text(manifest())


def fill(desk: Desk) -> None:
    """The hostile contracts, the honest ones, and things that are no files."""
    inbox = desk.settings.inbox
    for name, content in hostile_contracts(HOSTILE, seed=20261122):
        (inbox / name).write_bytes(content)
    for number in range(HONEST):
        desk.in_inbox(desk.contract(f"honest_{number}"))
    (inbox / "hostile_link.json").symlink_to(desk.contract("outside"))
    (inbox / "hostile_dangling.json").symlink_to(inbox / "nowhere")
    os.mkfifo(inbox / "hostile_pipe.json")


@pytest.fixture(scope="module")
def desk(memory: Path) -> Desk:
    return make_desk(memory)


@pytest.fixture(scope="module")
def drained(desk: Desk) -> Drained:
    """What became of them all in one pass."""
    lay_traps(desk)
    fill(desk)
    # On a kind cluster names alone do not count: whatever runs was signed.
    return drain(desk.runner(), tell=lambda _news: None)


def test_all_of_them_are_dealt_with(desk: Desk, drained: Drained) -> None:
    assert drained.troubles == ()
    assert len(drained.observed) == HOSTILE + HONEST + 3
    assert desk.filed("") == []
    assert desk.filed("_running") == []


def test_only_the_honest_ones_run(drained: Drained) -> None:
    ran = [seen.contract for seen in drained.observed if seen.state != "refused"]
    assert ran == [f"honest_{number}.json" for number in range(HONEST)]


def test_every_refusal_has_a_named_reason(drained: Drained) -> None:
    reasons = Counter(_code(seen) for seen in drained.observed if seen.state == "refused")
    assert len(reasons) >= 15
    assert "" not in reasons


def test_the_cluster_sees_only_what_was_approved(desk: Desk, drained: Drained) -> None:
    assert drained
    assert desk.kubectl.state["applied"] == 1
    assert set(desk.kubectl.verbs) == {"get", "api-resources", "dry-run", "diff", "apply", "wait"}
    assert list(desk.kubectl.state["objects"]) == ["hello"]


def test_every_refusal_is_recorded(desk: Desk, drained: Drained) -> None:
    folders = {Path(seen.folder).name for seen in drained.observed}
    assert len(folders) == len(drained.observed)
    assert all((desk.settings.reports / folder / "status.json").is_file() for folder in folders)


@pytest.fixture
def flipping(tmp_path: Path) -> Iterator[Desk]:
    """A repository where somebody swaps the manifest for a link to another one, all the time."""
    desk = make_desk(tmp_path)
    real, evil = desk.repo / HELLO, desk.repo / "evil.yaml"
    evil.write_text(manifest(target="Evil"))
    stop = threading.Event()

    def flip() -> None:
        spare = real.with_name("spare")
        while not stop.is_set():
            spare.symlink_to(evil)
            spare.replace(real)
            spare.write_text(manifest())
            spare.replace(real)

    contracts = [desk.contract(f"race_{number}") for number in range(60)]
    for contract in contracts:
        desk.in_inbox(contract)
    thread = threading.Thread(target=flip)
    thread.start()
    yield desk
    stop.set()
    thread.join()


def test_a_swapped_link_never_reaches_the_cluster(flipping: Desk) -> None:
    drained = drain(flipping.runner(), tell=lambda _news: None)

    assert Counter(seen.state for seen in drained.observed).keys() <= {
        "succeeded", "noop", "refused",
    }  # fmt: skip
    sent = [str(item["spec"]) for item in flipping.kubectl.state["objects"].values()]
    assert not [spec for spec in sent if "Evil" in spec]


def _code(seen: ContractObserved) -> str:
    return seen.reason.partition(":")[0]
