"""The record of one run: `reports/codex_runs/<run_id>/` with its logs, snapshots and status."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from harness.contracts.model import digest
from harness.contracts.redact import redact
from harness.core.observation import Artefact, CommandRecord
from harness.ports import Clock, CommandResult, Kubectl
from harness.runner.files import write_atomic

RUN_LOG = "run.log"
APPLY_LOG = "apply.log"
MAX_RECORDED = 16_384
MAX_LOGGED_LINE = 4_000


class RunFolder:
    """Writes the files of one run. Text is redacted before it is kept."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self.path = path
        self._clock = clock

    def log(self, prefix: str, text: str, *, name: str = RUN_LOG) -> None:
        """Append lines `<UTC time> [PREFIX] text` to a log; output lines start with `| `."""
        time = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        first, *rest = redact(text).splitlines() or [""]
        lines = [first, *(f"| {line}" for line in rest)]
        content = "".join(f"{time} [{prefix}] {line[:MAX_LOGGED_LINE]}\n" for line in lines)
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, content.encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)

    def write(self, name: str, content: str) -> None:
        """Write one file of the record, whole or not at all."""
        write_atomic(self.path / name, redact(content).encode("utf-8", "backslashreplace"))

    def read(self, name: str) -> str | None:
        """What an interrupted run left in a file, or None."""
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def artefacts(self, *, without: Iterable[str] = ()) -> tuple[Artefact, ...]:
        """Every file of the record with its size and hash, sorted by name."""
        left_out = set(without)
        files = (path for path in sorted(self.path.iterdir()) if path.name not in left_out)
        return tuple(_artefact(path) for path in files if not path.name.startswith("."))


class Console:
    """Runs the commands of one run: each is logged with its output and kept as a record."""

    def __init__(self, kubectl: Kubectl, folder: RunFolder) -> None:
        self._kubectl = kubectl
        self._folder = folder
        self._records: list[CommandRecord] = []

    @property
    def records(self) -> tuple[CommandRecord, ...]:
        """The commands so far."""
        return tuple(self._records)

    def run(
        self,
        args: Iterable[str],
        *,
        timeout: float,
        stdin: bytes | None = None,
        apply_log: bool = False,
    ) -> CommandResult:
        """Run kubectl, log `[EXEC] <command>` with its output, and how it ended."""
        result = self._kubectl.run(tuple(args), timeout=timeout, stdin=stdin)
        shown = " ".join(result.argv)
        output = f"{result.stdout}{result.stderr}".rstrip()
        ended = (
            f"timed out after {result.seconds:.1f} s"
            if result.timed_out
            else f"exited {result.exit_code} after {result.seconds:.3f} s"
        )
        verb = result.argv[1] if len(result.argv) > 1 else "kubectl"
        self._folder.log("EXEC", f"{shown}\n{output}")
        self._folder.log("INFO", f"{verb} {ended}")
        if apply_log:
            self._folder.log("APPLY", f"{shown}\n{output}", name=APPLY_LOG)
            self._folder.log("INFO", f"{verb} {ended}", name=APPLY_LOG)
        self._records.append(_record(result))
        return result


def _record(result: CommandResult) -> CommandRecord:
    return CommandRecord(
        argv=result.argv,
        exit_code=result.exit_code,
        seconds=round(result.seconds, 6),
        stdout=_bounded(result.stdout),
        stderr=_bounded(result.stderr),
    )


def _bounded(text: str) -> str:
    left = len(text) - MAX_RECORDED
    return text if left <= 0 else f"{text[:MAX_RECORDED]}\n[{left} more characters in run.log]\n"


def _artefact(path: Path) -> Artefact:
    content = path.read_bytes()
    return Artefact(
        path=path.name, bytes=len(content), sha256=digest(content).removeprefix("sha256:")
    )
