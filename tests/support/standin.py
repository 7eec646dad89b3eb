"""Executables that play a transcript and reject every argument that is not in it.

    program = install(folder, "kind", Transcript([...]))

A call is matched by its whole argument list; `{anything}` matches one argument's rest. A call may
need a state (`when`) and may lead to one (`then`), so that `get clusters` answers differently
after `create cluster`. What was called, and with what, is in `calls(folder, "kind")`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# A path with spaces, or a long one, cannot stand behind `#!`: the shell starts Python, to which the
# first two lines are a string.
_SCRIPT = """#!/bin/sh
'''exec' "{python}" -IS "$0" "$@"
' '''
import json, pathlib, re, sys, time
here = pathlib.Path({folder!r})
name = {name!r}
arguments = sys.argv[1:]
state_file = here / (name + ".state")
state = state_file.read_text() if state_file.exists() else ""
with (here / (name + ".calls")).open("a") as log:
    log.write(json.dumps(arguments) + "\\n")

def matches(pattern, text):
    parts = re.split(r"\\{{\\w+\\}}", pattern)
    return re.fullmatch("(.+)".join(map(re.escape, parts)), text)

for call in json.loads((here / (name + ".transcript")).read_text()):
    if len(call["args"]) != len(arguments) or call["when"] not in (None, state):
        continue
    if not all(map(matches, call["args"], arguments)):
        continue
    if call["then"] is not None:
        state_file.write_text(call["then"])
    for argument in arguments:
        if call["kubeconfig"] and argument.startswith("--kubeconfig="):
            pathlib.Path(argument.partition("=")[2]).write_text(call["kubeconfig"])
    if call["copies"]:
        pathlib.Path(arguments[-1]).write_bytes(pathlib.Path(call["copies"]).read_bytes())
    time.sleep(call["seconds"])
    sys.stdout.write(call["stdout"])
    sys.stderr.write(call["stderr"])
    sys.exit(call["exit"])
sys.stderr.write(name + " stand-in: not in the transcript: " + json.dumps(arguments) + "\\n")
sys.exit(97)
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a transcript, and the documented answer to it.

    `copies` is a file whose content goes into the file that the last argument names.
    """

    args: tuple[str, ...]
    stdout: str = ""
    stderr: str = ""
    exit: int = 0
    when: str | None = None
    then: str | None = None
    kubeconfig: str = ""
    seconds: float = 0.0
    copies: str = ""


def install(folder: Path, name: str, transcript: Sequence[Call]) -> Path:
    """Write the stand-in; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.transcript").write_text(json.dumps([asdict(call) for call in transcript]))
    program = folder / name
    script = _SCRIPT.format(python=sys.executable, folder=str(folder), name=name)
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    return program


def calls(folder: Path, name: str) -> list[list[str]]:
    """Every call so far, rejected ones included."""
    log = folder / f"{name}.calls"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
