"""Commands of other programs (kind, docker, kubectl): an argument list in, a result out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from harness.ports import Clock, CommandResult
from harness.process import Output, follow
from harness.timing.clock import SystemClock
from infra.clusters.errors import ToolMissing

_LIMIT: Final = 200_000
_WORDS: Final = 1_000
# A person's kubectl preferences (~/.kube/kuberc) must not change what is asked of a cluster.
_NO_PREFERENCES: Final = {"KUBERC": "off", "KUBECTL_KUBERC": "false"}


def find_program(name: str, *, given: str | None = None, variable: str = "") -> Path:
    """The path of a program: the `given` one, else what the environment variable names, else one
    that came with this Python environment (its version is locked), else one on PATH.

    Errors:
        ToolMissing: it is in none of these places, or what was given cannot be executed.
    """
    asked = given or (os.environ.get(variable) if variable else None)
    beside = Path(sys.executable).with_name(name)
    if not asked and beside.is_file():
        return beside
    found = shutil.which(asked or name)
    if found:
        return Path(found)
    places = f"{asked} (as asked for)" if asked else "PATH"
    raise ToolMissing(
        f"{name} was not found: {places}",
        mend=f"install {name}" + (f", or name it in {variable}" if variable else ""),
    )


def run_command(
    argv: Sequence[str],
    *,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    folder: Path | None = None,
    clock: Clock | None = None,
) -> CommandResult:
    """Run a program to its end, or kill it and its children after `timeout` seconds.

    The output is bounded; `folder` is the working directory.

    Errors:
        ToolMissing: it cannot be executed.
    """
    time = clock or SystemClock()
    began = time.monotonic()
    with tempfile.TemporaryFile() as source:
        source.write(stdin or b"")
        source.seek(0)
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **_NO_PREFERENCES, **(environment or {})},
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolMissing(
                f"{argv[0]} cannot be run: {error.strerror}", mend=f"install {Path(argv[0]).name}"
            ) from error
    output = Output(_LIMIT)
    code = follow(process, output, deadline=began + timeout, clock=time)
    return CommandResult(
        argv=tuple(argv),
        exit_code=code,
        stdout=output.text("stdout"),
        stderr=output.text("stderr"),
        seconds=time.monotonic() - began,
        truncated=output.truncated,
    )


def last_words(result: CommandResult, lines: int = 3) -> str:
    """What a failed command said last, on one line that a terminal can take."""
    if result.timed_out:
        return f"no answer within {result.seconds:.0f} s"
    text = (result.stderr.strip() or result.stdout.strip()).splitlines()
    said = " / ".join(line.strip() for line in text[-lines:])[:_WORDS]
    plain = "".join(letter if letter.isprintable() else "?" for letter in said)
    return plain or f"exit code {result.exit_code}"
