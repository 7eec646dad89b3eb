"""A full disk, a clock that is set back, and consent that is used a second time."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.ports import CommandResult
from harness.runner.drain import drain
from harness.timing.clock import SystemClock
from tests.support.runner import AT, HELLO, PUBLIC, Desk, FakeKubectl, identity, manifest

ROOT = Path(__file__).parents[3]
PRIVATE = ("unshare", "--mount", "--propagation", "private", "sh", "-c")


def _may_mount() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        tried = subprocess.run(
            [*PRIVATE, "mount -t tmpfs -o size=64k none /mnt"], capture_output=True, check=False
        )
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def test_a_full_disk_loses_nothing_and_repeats_nothing_in_silence(tmp_path: Path) -> None:
    if not _may_mount():
        pytest.skip("needs root and private mounts, to have a small disk of its own")
    disk = shlex.quote(str(tmp_path))
    program = f"{shlex.quote(sys.executable)} -m tests.support.full_disk {disk}"
    done = subprocess.run(
        [*PRIVATE, f"mount -t tmpfs -o size=1m none {disk} && exec {program}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *full, enough = [json.loads(line) for line in done.stdout.splitlines()]
    assert full
    assert all("No space left" in seen["said"][0] for seen in full)
    for seen in [*full, enough]:
        assert seen["filed"] == {"": 0, "_running": 0, "_done": 1}, seen
        assert seen["marks"][-1] == "succeeded", seen
        assert seen["applied"] == 1 or seen["repeated"], seen


class Backwards(SystemClock):
    """A clock that somebody sets back by an hour at every look."""

    def __init__(self) -> None:
        self._now = AT

    def now(self) -> datetime:
        self._now -= timedelta(hours=1)
        return self._now


def test_a_clock_that_is_set_back_changes_no_decision(desk: Desk) -> None:
    clock = Backwards()
    first = desk.runner(clock=clock).execute(desk.contract())
    assert first.state == "succeeded"
    second = desk.runner(clock=clock).execute(desk.contract())
    assert second.reason.startswith("already_done: ")
    assert Path(first.folder) != Path(second.folder)
    assert desk.kubectl.state["applied"] == 1
    status = json.loads((Path(first.folder) / "status.json").read_bytes())
    assert all(entry["seconds"] >= 0 for entry in status["exit_codes"])


def _other_target(desk: Desk, document: dict[str, Any]) -> None:
    document["target"]["contexts"].append("kind-vpm-mini")


def _other_byte(desk: Desk, document: dict[str, Any]) -> None:
    with (desk.repo / HELLO).open("a", encoding="utf-8") as stream:
        stream.write("\n")


def _other_signer(desk: Desk, document: dict[str, Any]) -> None:
    document["approval"]["by"] = "boss"
    _signers(desk, {"name": "tester", "key": PUBLIC}, {"name": "boss", "key": "A" * 43 + "="})


def _no_signer(desk: Desk, document: dict[str, Any]) -> None:
    _signers(desk)


def _only_recorded(desk: Desk, document: dict[str, Any]) -> None:
    document["approval"].update(level="recorded")
    del document["approval"]["signature"]


def _signers(desk: Desk, *signers: dict[str, str]) -> None:
    policy = yaml.safe_load(desk.settings.policy.read_text())
    policy["approvals"]["signers"] = list(signers)
    desk.settings.policy.write_text(yaml.safe_dump(policy))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_other_target, "the signature is not tester's over this content and target"),
        (_other_byte, "the content is sha256:"),
        (_other_signer, "the signature is not boss's"),
        (_no_signer, "the policy names no signer tester"),
        (_only_recorded, "provider existing wants a signed one"),
    ],
)
def test_an_approval_counts_for_nothing_else(
    desk: Desk, change: Callable[[Desk, dict[str, Any]], None], said: str
) -> None:
    document = json.loads(desk.contract().read_bytes())
    change(desk, document)
    path = desk.file("replayed.json", json.dumps(document).encode())

    observed = desk.runner(cluster=identity(provider="existing")).execute(path)

    assert observed.state == "refused"
    assert observed.reason.startswith("approval_invalid: ")
    assert said in observed.reason
    assert "apply" not in desk.kubectl.verbs


def test_the_approval_itself_is_good(desk: Desk) -> None:
    assert desk.runner(cluster=identity(provider="existing")).execute(desk.contract()).state == (
        "succeeded"
    )


class Swapping(FakeKubectl):
    """At the first question to the cluster, which comes after the judgement, the manifest becomes
    a link to another one."""

    def __init__(self, manifest: Path, evil: Path) -> None:
        super().__init__()
        self._manifest, self._evil = manifest, evil

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        if not self._manifest.is_symlink():
            self._manifest.unlink()
            self._manifest.symlink_to(self._evil)
        return super().run(args, timeout=timeout, stdin=stdin)


def test_a_manifest_swapped_after_it_was_judged_is_not_what_is_applied(desk: Desk) -> None:
    evil = desk.repo / "evil.yaml"
    evil.write_text(manifest(target="Evil"))
    kubectl = Swapping(desk.repo / HELLO, evil)

    observed = desk.runner(kubectl=kubectl).execute(desk.contract())

    assert observed.state == "succeeded"
    assert (desk.repo / HELLO).is_symlink()
    assert "Evil" not in str(kubectl.state["objects"])


def test_an_inbox_without_room_for_claims_is_told_once(desk: Desk) -> None:
    (desk.settings.inbox / "_running").write_text("in the way")
    for id in ("a", "b"):
        desk.in_inbox(desk.contract(id))
    drained = drain(desk.runner(), tell=lambda _news: None)
    (trouble,) = drained.troubles
    assert "Not a directory" in trouble.message
    assert desk.filed("") == ["a.json", "b.json"]
