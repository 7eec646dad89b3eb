"""The embedded cluster's process: how it is started, recognised and ended (Linux only)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from harness.core.errors import ClusterError, UsageError
from harness.ports import Clock, Gateway
from harness.timing.wait import WaitTimeout, until

READY_FILE: Final = "cluster.json"
LOG_FILE: Final = "server.log"
# -P: a folder named infra where the harness was started must not be taken for ours.
PROGRAM: Final = (sys.executable, "-P", "-m", "infra.embedded", "serve")
_BAD_USAGE: Final = ("error: unrecognized arguments", "error: argument --", "error: --images: ")
_START_TIMEOUT: Final = 60.0
_STOP_TIMEOUT: Final = 10.0

# The shell is gone at once, so the server belongs to init and never becomes a zombie of ours.
# What stays is a subshell that reads our pipe: at its end without a word, it ends the server.
_LAUNCHER: Final = """
exec 3<&0
"$@" </dev/null 3<&- >>"$LOG" 2>&1 &
server=$!
echo $server
( read -r keep <&3 || kill -TERM $server ) >/dev/null 2>&1 &
"""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a serving embedded cluster says about itself in its ready file."""

    name: str
    pid: int
    kubeconfig: Path
    gateway: Gateway
    domain: str
    time_scale: float
    pod_network: str
    pod_network_reason: str = ""  # why it is not a better one

    @property
    def context(self) -> str:
        """The context's name in its kubeconfig."""
        return f"embedded-{self.name}"


def parse_ready_file(text: str) -> ServerInfo:
    """The content of a ready file.

    Errors:
        ClusterError: a field is missing or of the wrong type.
    """
    try:
        data = json.loads(text)
        gateway = data["gateway"]
        https = gateway.get("https")
        return ServerInfo(
            name=str(data["name"]),
            pid=int(data["pid"]),
            kubeconfig=Path(data["kubeconfig"]),
            gateway=Gateway(
                host=str(gateway["address"]),
                http_port=int(gateway["http"]),
                https_port=int(https) if https else None,
                ca_file=Path(gateway["ca"]) if gateway.get("ca") else None,
            ),
            domain=str(data["domain"]),
            time_scale=float(data.get("time_scale", 1.0)),
            pod_network=str(data.get("pod_network", "")),
            pod_network_reason=str(data.get("pod_network_reason", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"the embedded cluster's {READY_FILE} cannot be understood: {error!r}",
            mend="the emulator and the harness are of different versions: reinstall vpm-harness",
        ) from error


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that cannot be confused with a later one of the same number."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has this number now; None when there is none that still runs."""
        fields = _stat(pid)
        return cls(pid, fields[19]) if fields and fields[0] not in ("Z", "X") else None

    def alive(self) -> bool:
        """Whether it still runs."""
        return ProcessId.of(self.pid) == self

    def serves(self, folder: Path) -> bool:
        """Whether it was started to keep its state in `folder`."""
        try:
            argv = Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(folder) in argv

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.alive():
            os.kill(self.pid, number)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command name (which may hold anything)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Lifeline:
    """A pipe that only we hold: closed without a word, however we ended, it ends the server."""

    pipe: IO[bytes]

    def release(self) -> None:
        """Let the server live on without us."""
        with self.pipe, contextlib.suppress(BrokenPipeError):
            self.pipe.write(b"keep\n")


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How to start the server. `arguments` are further options of `infra.embedded serve`."""

    folder: Path
    name: str
    ephemeral: bool
    arguments: Sequence[str] = ()
    program: Sequence[str] = PROGRAM

    def argv(self) -> list[str]:
        """The whole command line."""
        return [
            *self.program,
            "--state-dir",
            str(self.folder),
            "--name",
            self.name,
            *(["--ephemeral"] if self.ephemeral else []),
            *self.arguments,
        ]


def launch(options: LaunchOptions) -> tuple[ProcessId, Lifeline]:
    """Start the server in a session of its own, so that Ctrl-C reaches only the harness."""
    options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (options.folder / READY_FILE).unlink(missing_ok=True)
    read_end, write_end = os.pipe()
    lifeline = Lifeline(os.fdopen(write_end, "wb", buffering=0))
    environment = {**os.environ, "LOG": str(options.folder / LOG_FILE)}
    try:
        launched = subprocess.run(
            ["/bin/sh", "-c", _LAUNCHER, "sh", *options.argv()],
            stdin=read_end,
            stdout=subprocess.PIPE,
            env=environment,
            check=True,
            start_new_session=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        lifeline.pipe.close()
        raise ClusterError(f"the embedded cluster could not be started: {error}") from error
    finally:
        os.close(read_end)
    pid = int(launched.stdout)
    return ProcessId.of(pid) or ProcessId(pid, ""), lifeline


def wait_ready(process: ProcessId, folder: Path, *, clock: Clock) -> ServerInfo:
    """Wait until the server has written its ready file.

    Errors:
        ClusterError: it ended, or was not ready in time; with the last lines of its log.
    """
    path = folder / READY_FILE
    try:
        until(
            lambda: path.exists() or not process.alive(),
            bool,
            what="the embedded cluster serves",
            timeout=_START_TIMEOUT,
            interval=0.02,
            clock=clock,
        )
    except WaitTimeout as error:
        raise ClusterError(f"{error.message}\n{log_tail(folder)}") from error
    if not path.exists():
        tail = log_tail(folder)
        kind = UsageError if any(words in tail for words in _BAD_USAGE) else ClusterError
        raise kind(
            f"the embedded cluster ended while it started:\n{tail}",
            mend="run `vpm doctor --cluster embedded`",
        )
    return parse_ready_file(path.read_text(encoding="utf-8"))


def starting(folder: Path) -> ProcessId | None:
    """The server that was launched for `folder`, also before it says so itself."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        process = ProcessId.of(int(entry.name))
        if process and process.serves(folder) and not _is_launcher(process):
            return process
    return None


def _is_launcher(process: ProcessId) -> bool:
    """Whether it is the shell beside the server, which has its words too."""
    try:
        return Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(b"/bin/sh\0")
    except OSError:
        return True


def end(process: ProcessId, *, clock: Clock) -> None:
    """Ask the server to end and, when it does not within ten seconds, kill it."""
    process.signal(signal.SIGTERM)
    try:
        _gone(process, timeout=_STOP_TIMEOUT, clock=clock)
    except WaitTimeout:
        process.signal(signal.SIGKILL)
        _gone(process, timeout=_STOP_TIMEOUT, clock=clock)


def _gone(process: ProcessId, *, timeout: float, clock: Clock) -> None:
    until(
        process.alive,
        lambda alive: not alive,
        what=f"process {process.pid} has ended",
        timeout=timeout,
        interval=0.02,
        clock=clock,
    )


def log_tail(folder: Path, lines: int = 12) -> str:
    """The last lines of the server's log."""
    try:
        text = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(it wrote no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(its log is empty)"
