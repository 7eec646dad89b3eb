"""The record of one run: `reports/codex_runs/<run_id>/` with its logs, snapshots and status."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.contracts.model import digest
from harness.core.observation import Artefact, CommandRecord
from harness.core.redact import redact
from harness.ports import Clock, CommandResult, Kubectl
from harness.runner.files import write_atomic
from harness.runner.queue import NAME

RUN_LOG = "run.log"
APPLY_LOG = "apply.log"
MAX_RECORDED = 16_384
MAX_LOGGED_LINE = 4_000
MAX_REPEATED = 5
MAX_REPEATED_TEXT = 200
"""Lines, and characters of warnings, that a log repeats although another file holds them."""


class RunFolder:
    """Writes the files of one run. Text is redacted before it is kept."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self.path = path
        self._clock = clock

    def log(self, prefix: str, text: str, *, name: str = RUN_LOG) -> None:
        """Append a line `<UTC time> [PREFIX] text` to a log; more lines follow as output."""
        first, *rest = redact(text).splitlines() or [""]
        self._append(prefix, [first, *(f"| {line}" for line in rest)], name)

    def log_output(self, prefix: str, text: str, *, name: str = RUN_LOG) -> None:
        """Append what a command printed, each line behind `| `."""
        self._append(prefix, [f"| {line}" for line in redact(text).splitlines()], name)

    def _append(self, prefix: str, lines: list[str], name: str) -> None:
        time = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
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
        return tuple(_artefact(path) for path in files_of(self.path) if path.name not in left_out)


def files_of(folder: Path) -> Iterator[Path]:
    """The files of a record, sorted by name, without what is still being written."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and (path.name == NAME or not path.name.startswith(".")):
            yield path


class Console:
    """Runs the commands of one run: each is logged with its output and kept as a record."""

    def __init__(self, kubectl: Kubectl, folder: RunFolder) -> None:
        self._kubectl = kubectl
        self._folder = folder
        self._records: list[CommandRecord] = []
        self._warned: set[tuple[str, str]] = set()

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
        kept: str = "",
    ) -> CommandResult:
        """Run kubectl; the log says `[EXEC] <command>` before it starts, then what it did.

        `kept` names the file of the record that will hold what it prints: the logs then say so
        instead of saying it again, unless it is short or the command failed.
        """
        logs = {RUN_LOG: "EXEC", APPLY_LOG: "APPLY"} if apply_log else {RUN_LOG: "EXEC"}
        arguments = tuple(args)
        for name, prefix in logs.items():
            self._folder.log(prefix, f"kubectl {' '.join(arguments)}", name=name)
        result = self._kubectl.run(arguments, timeout=timeout, stdin=stdin)
        for name, prefix in logs.items():
            other = APPLY_LOG if apply_log and name == RUN_LOG else ""
            told = _said(
                result, kept=kept, other=other, again=(name, result.stderr) in self._warned
            )
            self._warned.add((name, result.stderr))
            self._folder.log_output(prefix, told, name=name)
            self._folder.log("INFO", f"{arguments[0]} {_ended(result)}", name=name)
        self._records.append(_record(result))
        return result


def _ended(result: CommandResult) -> str:
    if result.timed_out:
        return f"timed out after {result.seconds:.1f} s"
    return f"exited {result.exit_code} after {result.seconds:.3f} s"


def _said(result: CommandResult, *, kept: str, other: str, again: bool) -> str:
    """What a command printed, or where that is: its objects in the file `kept`, unless it failed
    and nothing was kept, and everything in the log `other`. `again`: its warnings are in this log.
    """
    whole = (kept if result.exit_code in (0, 1) else "") or other
    printed, warned = result.stdout, result.stderr
    if whole and printed.count("\n") > MAX_REPEATED:
        printed = f"({printed.count(chr(10))} lines: see {whole})\n"
    if (other or again) and len(warned) > MAX_REPEATED_TEXT:
        where = f"see {other}" if other else "as before"
        warned = f"({len(warned.splitlines())} lines: {where})\n"
    return f"{printed}{warned}"


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
