"""One manifest brought about: server dry run, diff, apply, READY at the new generation, get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.contracts.command import (
    apply_arguments,
    diff_arguments,
    get_arguments,
    printed_names,
    ready_arguments,
)
from harness.contracts.difftext import diff_digest
from harness.contracts.kinds import KSERVICE
from harness.contracts.model import Manifest
from harness.contracts.refusal import Refusal
from harness.ports import CommandResult
from harness.runner.folder import Console
from harness.runner.ledger import Mark
from harness.runner.lock import ClusterLock
from harness.runner.manifests import ManifestRead
from harness.runner.objects import Shown
from harness.runner.outcome import Change, Stopped, failed, unwell
from harness.runner.states import Event

DIFF = "diff.patch"
GET_SECONDS = 40.0
# kubectl wait ends by itself; its process gets this much longer before it is killed.
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Permit:
    """What a run that may change the cluster holds: the lock, the ledger, the approval check."""

    lock: ClusterLock
    mark: Callable[[Mark], None]
    approved: Callable[[str], Refusal | None]


@dataclass(slots=True)
class ManifestRun:
    """The steps for one manifest. Each raises Stopped when the contract must not go on."""

    action: Manifest
    read: ManifestRead
    namespace: str
    console: Console
    diff: str = field(default="", init=False)

    @property
    def names(self) -> list[str]:
        """The names of the objects in the manifest."""
        return [found.name for found in self.read.facts.objects]

    def snapshot(self, *, kept: str = "") -> str:
        """The live objects as YAML, empty when there are none; `kept` as for the console."""
        arguments = get_arguments(self.action.resource, self.names, self.namespace)
        result = self.console.run(arguments, timeout=GET_SECONDS, kept=kept)
        _want_zero(result)
        _want_whole(result)
        return result.stdout

    def dry_run(self) -> None:
        """Let the server check the manifest, and see that kubectl found the same objects."""
        arguments = apply_arguments(self.namespace, dry=True)
        result = self._feed(arguments)
        _want_zero(result)
        found = sorted(result.stdout.split())
        if found != sorted(printed_names(self.action.resource, self.names)):
            raise Stopped(Event.REFUSE, f"object_mismatch: kubectl reads {found}")

    def compare(self) -> bool:
        """Whether the manifest differs from the cluster; an error of diff is neither."""
        result = self._feed(diff_arguments(self.namespace), kept=DIFF)
        if result.exit_code not in (0, 1) or (result.exit_code == 1 and not result.stdout):
            raise unwell(result, _said(result))
        _want_whole(result)
        self.diff = result.stdout
        return result.exit_code == 1

    def check_approval(self, permit: Permit) -> None:
        """Refuse when the approval was over another diff."""
        refusal = permit.approved(diff_digest(self.diff))
        if refusal:
            raise Stopped(Event.REFUSE, str(refusal))

    def apply(self, permit: Permit) -> None:
        """Apply; the ledger says so before and after."""
        permit.mark("applying")
        with permit.lock.shared_with_children():
            result = self._feed(apply_arguments(self.namespace, dry=False))
        _want_zero(result)
        permit.mark("applied")

    def wait_ready(self) -> None:
        """Wait until KServices are READY; other kinds have no such condition to wait for."""
        if self.action.resource.known != KSERVICE:
            return
        seconds = self.action.timeout
        arguments = ready_arguments(self.action.resource, self.names, self.namespace, seconds)
        _want_zero(self.console.run(arguments, timeout=seconds + GRACE_SECONDS))

    def changes(
        self, before: Mapping[str, Shown], applied: Mapping[str, Shown], after: Mapping[str, Shown]
    ) -> list[Change]:
        """What became of each object, READY at the generation that the apply made.

        Errors:
            Stopped: an object is gone, not READY, or at a generation that somebody else made.
        """
        changes = []
        for name in self.names:
            key = f"{self.action.resource.kind}/{name}"
            now = after.get(key)
            if now is None:
                raise failed(f"{self.action.resource.kind} {name} is not there any more")
            made = applied[key].generation if key in applied else now.generation
            if now.generation != made:
                raise failed(f"{name}: generation {now.generation}, this run made {made}")
            if self.action.resource.known == KSERVICE and now.unready:
                raise failed(f"{name} is not READY: {now.unready}")
            earlier = before[key].generation if key in before else None
            changes.append(Change(name, earlier, now.generation, now.uid))
        return changes

    def _feed(self, arguments: list[str], *, kept: str = "") -> CommandResult:
        return self.console.run(
            arguments,
            timeout=self.action.timeout,
            stdin=self.read.content,
            apply_log=True,
            kept=kept,
        )


def snapshots(runs: list[ManifestRun], *, kept: str) -> str:
    """The live objects of several manifests in one YAML stream, which goes to the file `kept`."""
    return "---\n".join(text for run in runs if (text := run.snapshot(kept=kept)))


def _want_zero(result: CommandResult) -> None:
    if result.exit_code != 0:
        raise unwell(result, _said(result))


def _want_whole(result: CommandResult) -> None:
    """What was cut off can be neither restored nor approved."""
    if result.truncated:
        size = len(result.stdout.encode())
        raise failed(f"{result.argv[1]} printed more than {size} bytes, which are not all read")


def _said(result: CommandResult) -> str:
    verb = "server-side dry run" if "--dry-run=server" in result.argv else result.argv[1]
    if result.timed_out:
        return f"{verb}: timed out after {result.seconds:.1f} s"
    lines = [line for line in result.stderr.splitlines() if not line.startswith("Warning:")]
    said = " ".join(lines)[:300] or result.stdout.strip()[:300]
    return f"{verb} exited {result.exit_code}: {said}"
