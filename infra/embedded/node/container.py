"""What a forked child does to become a container's process."""

import contextlib
import fcntl
import importlib
import os
import resource
import signal
import sys
import termios
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from infra.embedded.node import kernel, rootfs


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: a program (`argv`), or a function of the preloaded Python (`entry`)."""

    argv: tuple[str, ...]
    entry: str  # "module:function", or empty
    env: Mapping[str, str]
    directory: str
    user: int | None
    group: int | None
    hostname: str
    base: str  # an empty folder to build the file system's view on; empty = the host's view
    files: Mapping[str, str]
    mounts: Sequence[rootfs.Mount]

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> "Command":
        """From a message of the server."""
        return cls(
            argv=tuple(message["argv"]),
            entry=message.get("entry", ""),
            env=message["env"],
            directory=message.get("directory") or "/",
            user=message.get("user"),
            group=message.get("group"),
            hostname=message.get("hostname", ""),
            base=message.get("base", ""),
            files=message.get("files", {}),
            mounts=[rootfs.Mount(*mount) for mount in message.get("mounts", [])],
        )


def become(command: Command, *, network: int | None, output: int, report: int) -> NoReturn:
    """Turn this child into the container; never returns.

    Whatever fails before the program runs goes to the descriptor `report` as text.
    """
    try:
        _own_session(output)
        if network is not None:
            kernel.setns(network, kernel.CLONE_NEWNET)
        _own_view(command)
        _drop_privileges(command)
        os.chdir(command.directory)
    except OSError as error:
        _fail(report, f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except (ValueError, OverflowError) as error:  # a NUL in a path, a user out of range
        _fail(report, str(error))
    if command.entry:
        os.close(report)
        _call(command)
    execute(command.argv, command.env, report)


def join(process: int, command: Command, *, stdio: tuple[int, int, int], report: int) -> NoReturn:
    """Turn this child into a further process of a running container; never returns."""
    try:
        os.setsid()
        for source, target in zip(stdio, (0, 1, 2), strict=True):
            os.dup2(source, target)
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-C then reaches the program
        _default_signals()
        root = os.open(f"/proc/{process}/root", os.O_RDONLY | os.O_DIRECTORY)
        for kind in ("uts", "net", "mnt"):
            try:
                kernel.setns(os.open(f"/proc/{process}/ns/{kind}", os.O_RDONLY))
            except PermissionError:
                continue  # the host's own namespace, shared already
        os.fchdir(root)
        os.chroot(".")
        _drop_privileges(command)
        os.chdir(command.directory)
    except OSError as error:
        _fail(report, f"cannot enter the container: {error}")
    execute(command.argv, command.env, report)


def execute(argv: Sequence[str], env: Mapping[str, str], report: int) -> NoReturn:
    """Run the program, found through the container's own PATH; a failure goes to `report`."""
    try:
        os.execvpe(argv[0], list(argv), dict(env))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        if "/" in argv[0]:
            _fail(report, f'exec: "{argv[0]}": stat {argv[0]}: {reason}')
        _fail(report, f'exec: "{argv[0]}": executable file not found in $PATH')
    except ValueError as error:  # a NUL, or = in a variable's name
        _fail(report, f'exec: "{argv[0]}": {error}')


def _fail(report: int, message: str) -> NoReturn:
    os.write(report, message.encode())
    os._exit(128)


def _own_session(output: int) -> None:
    os.setsid()
    kernel.die_with_parent()
    _default_signals()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # A machine without memory ends a pod first, not the cluster (inherited by what it starts).
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _default_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _own_view(command: Command) -> None:
    if not command.base:
        return
    kernel.unshare(kernel.CLONE_NEWNS | (kernel.CLONE_NEWUTS if command.hostname else 0))
    if command.hostname:
        kernel.sethostname(command.hostname)
    rootfs.enter(Path(command.base), command.files, command.mounts)


def _drop_privileges(command: Command) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.geteuid() != 0:
        return
    if command.group is not None:
        os.setgroups([])
        os.setgid(command.group)
    if command.user is not None:
        os.setuid(command.user)


def _call(command: Command) -> NoReturn:
    """Run a function of the preloaded interpreter as if it were the program."""
    code: int | str | None = 0
    module, _, function = command.entry.partition(":")
    try:
        os.environ.clear()
        os.environ.update(command.env)
        sys.argv = list(command.argv)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        getattr(importlib.import_module(module), function)()
    except SystemExit as exit_:
        code = exit_.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
    except BaseException:  # noqa: BLE001  the interpreter's own last resort, for a fork
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
