"""Process 1 of the pods: forks containers from a warm interpreter, reaps them, reports."""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infra.embedded.node import container, kernel, memory, wire


def main(control: socket.socket) -> None:
    """Serve the server's messages until it goes away.

    Messages in: `preload` {modules}, once and first; `start` {id, command...} with the descriptors
    [network, output], `memory` its limit in bytes or 0; `exec` {id, of, command...} with [stdin,
    stdout, stderr]; `signal` {id, signal}.  Messages out: `ready`, `started` {id}, `failed`
    {id, message}, `exited` {id, code, oom}; oom says that it was ended for its use of memory.
    """
    Init(control).run()


class Init:
    """The state of process 1: its children by number."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._ids: dict[int, str] = {}  # process -> container
        self._processes: dict[str, int] = {}
        self._reports: dict[str, int] = {}  # container -> where it says how its start went
        self._memory = memory.Watch()
        self._default_limit = memory.default_limit()
        self._over: set[str] = set()  # ended for their use of memory
        self._views: dict[int, str] = {}  # container's process -> its mount namespace
        self._running = True

    def run(self) -> None:
        """The loop; ends when the server's end of the socket is closed."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._watch(self._control, self._message)
        self._watch(wake_read, lambda: self._reap(wake_read))
        self._send({"op": "ready"})
        while self._running:
            for key, _ in self._selector.select(self._memory.pause):
                key.data()
            self._end_excess()

    def _watch(self, source: Any, action: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, action)

    def _send(self, message: wire.Message) -> None:
        wire.send(self._control, message)

    def _message(self) -> None:
        received = wire.receive(self._control)
        if received is None:
            self._running = False
            return
        message, fds = received
        match message["op"]:
            case "preload":
                _preload(message["modules"])
            case "start":
                self._start(message, fds)
            case "exec":
                self._exec(message, fds)
            case "signal":
                self._signal(message["id"], message["signal"])
        for fd in fds:
            os.close(fd)

    def _start(self, message: wire.Message, fds: list[int]) -> None:
        command = container.Command.parse(message)
        network, output = (None, fds[0]) if len(fds) == 1 else (fds[0], fds[1])
        allowance = memory.Allowance(
            message.get("memory") or self._default_limit,
            inherited=memory.own_here() if command.entry else 0,
        )
        process = self._fork(
            message["id"],
            lambda report: container.become(command, network=network, output=output, report=report),
        )
        if process is not None:
            self._memory.add(message["id"], process, allowance)
            self._views[process] = ""  # its own once it has started

    def _exec(self, message: wire.Message, fds: list[int]) -> None:
        process = self._processes.get(message["of"])
        if process is None:
            self._refuse(message["id"], "container not running")
            return
        command = container.Command.parse(message)
        stdio = (fds[0], fds[1], fds[2])
        joined = self._fork(
            message["id"],
            lambda report: container.join(process, command, stdio=stdio, report=report),
        )
        if joined is not None:
            self._memory.join(message["of"], joined)

    def _refuse(self, identity: str, message: str) -> None:
        """No process: nothing will be told of its end."""
        self._send({"op": "failed", "id": identity, "message": message, "forked": False})

    def _fork(self, identity: str, child: Callable[[int], None]) -> int | None:
        """Fork; what the child writes to its report before it executes means failure.

        None, after saying so, where the machine has no more processes to give.
        """
        read, write = os.pipe()  # not inherited through exec: its end of file means success
        try:
            process = os.fork()
        except OSError as error:
            os.close(read)
            os.close(write)
            self._refuse(identity, f"fork: {error.strerror}")
            return None
        if process == 0:
            child(write)
        os.close(write)
        self._ids[process] = identity
        self._processes[identity] = process
        self._reports[identity] = read
        self._watch(read, lambda: self._reported(identity))
        return process

    def _reported(self, identity: str) -> None:
        read = self._reports.pop(identity, None)
        if read is None:
            return  # its end came in the same round, and has told it
        text = os.read(read, 4096).decode("utf-8", "replace")
        self._selector.unregister(read)
        os.close(read)
        if text:
            self._send({"op": "failed", "id": identity, "message": text})
        else:
            process = self._processes.get(identity, 0)
            if process in self._views:
                self._views[process] = _view(process)
            self._send({"op": "started", "id": identity})

    def _signal(self, identity: str, number: int) -> None:
        process = self._processes.get(identity)
        if process is None:
            return
        if number == signal.SIGKILL:
            _kill_group(process)
        else:
            os.kill(process, number)

    def _end_excess(self) -> None:
        """Kill the containers that use more memory than they may, with all their processes."""
        for identity, processes in self._memory.excess().items():
            self._over.add(identity)
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def _reap(self, wake: int) -> None:
        os.read(wake, 4096)
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            identity = self._ids.pop(process, None)
            if identity is None:
                continue  # an orphan of a container
            self._processes.pop(identity, None)
            self._memory.forget(process, identity)
            _kill_group(process)
            for joined in self._memory.members(identity):
                _kill_group(joined)
            if view := self._views.pop(process, ""):
                _kill_view(view)
            self._reported(identity)  # how it started is told before how it ended
            self._send(_exited(identity, status, over=identity in self._over))
            self._over.discard(identity)


def _exited(identity: str, status: int, *, over: bool) -> wire.Message:
    """What is told of a process's end; `over`: it was to be killed for its use of memory."""
    code = os.waitstatus_to_exitcode(status)
    killed = over and code == -signal.SIGKILL
    return {
        "op": "exited",
        "id": identity,
        "code": code if code >= 0 else 128 - code,
        "oom": killed,
    }


def _preload(modules: Sequence[str]) -> None:
    """Load what containers run, so that a fork has it."""
    for module in modules:
        with contextlib.suppress(ImportError):  # its container then fails, and says why
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # the children share these pages: no collection may write to them


def _kill_group(process: int) -> None:
    """End a container's whole session group, whose leader may be gone already."""
    try:
        os.killpg(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _view(process: int) -> str:
    """The mount namespace of a process; empty when it is no container's own or cannot be told."""
    try:
        found = str(Path(f"/proc/{process}/ns/mnt").readlink())
        own = str(Path("/proc/self/ns/mnt").readlink())
    except OSError:
        return ""
    return found if found != own and memory.own_proc() else ""


def _kill_view(view: str) -> None:
    """End what is left of a container: processes with sessions of their own see its files, too."""
    killed: set[int] = set()
    while True:
        with os.scandir("/proc") as found:
            numbers = {int(entry.name) for entry in found if entry.name.isdecimal()}
        left = {process for process in numbers - killed if _view(process) == view}
        if not left:
            return
        for process in left:  # which may have forked meanwhile
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        killed |= left


def isolate() -> None:
    """Give process 1 its own /proc, where the kernel allows it."""
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount("proc", "/proc", "proc")
    except OSError:
        return  # the host's /proc then shows through; nothing depends on it but `ps`
