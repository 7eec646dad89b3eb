"""What a recording of commands takes for granted, made before and while it is replayed."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.embedded.conformance import statuses
from tests.embedded.conformance.outcome import Replay
from tests.embedded.conformance.reading import manifest_file

_WEBHOOK_DOWN = "failed calling webhook"
_NAMED = re.compile(r"\bksvc[/ ]([a-z0-9-]+)")
_FILE = re.compile(r"-f (\S+\.yaml)")
_NOT_RECORDED = "the manifest is not recorded"
_FAULT = {
    "apiVersion": "emulator.vpm.dev/v1alpha1",
    "kind": "Fault",
    "metadata": {"name": "webhook-down"},
    "spec": {"type": "webhook-down"},
}
_SETTLED = 125.0  # recorded seconds: the age of failing services when they were described
_PATIENCE, _LONGEST = 32.0, 130.0  # real seconds


@dataclass(slots=True)
class Circumstances:
    """The state around the commands; `impossible` says why it cannot be had."""

    what: Replay
    broken: bool  # some commands find the webhook down, the others find it up
    made: bool = False  # the objects that the commands look at
    impossible: str = ""
    absent: frozenset[str] = frozenset()  # services whose manifest is not recorded
    racing: frozenset[str] = frozenset()  # services whose crash shows otherwise this time

    def before(self, error: str) -> None:
        """Make the webhook answer, or not, as the next command found it."""
        if not self.broken:
            return
        if _WEBHOOK_DOWN in error:
            self.what.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_FAULT))
            wanted = ["--for=jsonpath={.status.phase}=Active", "fault/webhook-down"]
            self.what.cluster.kubectl("wait", *wanted, "--timeout=10s")
        else:
            self.end()

    def skip(self, command: str, shown: str) -> str:
        """Why a command that has shown this cannot be compared; empty when it can."""
        file = _FILE.search(command)
        gone = file and not manifest_file(self.what.root / file[1])
        if gone and "does not exist" not in shown:
            return _NOT_RECORDED
        if any(name in command + shown for name in self.absent):
            return _NOT_RECORDED
        named = set(_NAMED.findall(command))
        return statuses.RACE if named & self.racing else ""

    def end(self) -> None:
        """Leave the webhook as it was."""
        if self.broken:
            self.what.cluster.kubectl("delete", "fault", "webhook-down", "--ignore-not-found")


def scale(folder: Path, commands: Sequence[str]) -> float:
    """How fast the clock should go for these commands: faster when they presume old services."""
    return _SETTLED / _PATIENCE if _presumed(folder, commands) else 1.0


def _presumed(folder: Path, commands: Sequence[str]) -> frozenset[str]:
    """Services that the commands name and do not make, if a manifest of one is recorded."""
    named = {name for command in commands for name in _NAMED.findall(command)}
    manifests = {path.stem.removeprefix("manifest-") for path in folder.glob("manifest-*.yaml")}
    applied = any("kubectl apply" in command for command in commands)
    return frozenset() if applied or not named & manifests else frozenset(named)


def of(what: Replay, folder: Path, commands: Sequence[tuple[str, str]]) -> Circumstances:
    """Make what these commands (with what they wrote to stderr) presume."""
    broken = any(_WEBHOOK_DOWN in error for _, error in commands)
    if broken and what.cluster.kubectl("get", "faults").code != 0:
        return Circumstances(
            what, broken=False, impossible="the cluster has no faults to switch on"
        )
    named = _presumed(folder, [command for command, _ in commands])
    if not named:
        return Circumstances(what, broken)
    wait = _SETTLED / max(what.pace, what.scale)
    if wait > _LONGEST:
        return Circumstances(what, broken, impossible="needs --time-scale")
    statuses.install(what, folder)
    time.sleep(wait)
    absent = frozenset(n for n in named if not (folder / f"manifest-{n}.yaml").exists())
    racing = frozenset(statuses.racing(what, folder, _SETTLED))
    return Circumstances(what, broken, made=True, absent=absent, racing=racing)
