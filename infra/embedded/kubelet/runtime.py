"""Containers as processes: the server's side of the node's processes."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from infra.embedded.kubelet.channel import Channel, NodeError
from infra.embedded.node import wire
from infra.embedded.node.launch import Launched

_NEVER_RAN = 137  # as of a container that has gone meanwhile


@dataclass(frozen=True, slots=True)
class Program:
    """What a container runs and sees; see `infra.embedded.node.container.Command`."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    entry: str = ""
    directory: str = "/"
    user: int | None = None
    group: int | None = None
    hostname: str = ""
    base: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[tuple[str, str, bool], ...] = ()
    memory: int = 0  # bytes that it may use; 0 = the node's ceiling


class Process:
    """A container's process, from the request to start it until its end."""

    def __init__(self, identity: str, runtime: "Runtime") -> None:
        loop = asyncio.get_running_loop()
        self.identity = identity
        self._runtime = runtime
        self._started: asyncio.Future[str] = loop.create_future()
        self._exited: asyncio.Future[int] = loop.create_future()
        self.oom_killed = False  # ended by the node for its use of memory

    # Both are shielded: who stops waiting must not make the process look ended.
    async def started(self) -> str:
        """Wait until it runs; returns nothing, or what failed."""
        return await asyncio.shield(self._started)

    async def exited(self) -> int:
        """Wait for its end; returns the exit code, or 128 + the signal that ended it."""
        return await asyncio.shield(self._exited)

    @property
    def over(self) -> bool:
        """Whether all is known of it that there will ever be."""
        return self._started.done() and self._exited.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; SIGKILL ends all that the container started."""
        if not self._exited.done():
            self._runtime.signal(self.identity, number)

    def tell_started(self, problem: str) -> None:
        """It runs, or could not be started; only the first word counts."""
        if not self._started.done():
            self._started.set_result(problem)

    def tell_exited(self, code: int) -> None:
        """It has ended; only the first word counts."""
        if not self._exited.done():
            self._exited.set_result(code)


class Runtime:
    """Starts the node's processes, and containers in them."""

    def __init__(self, child: subprocess.Popen[bytes], control: Channel, net: Channel) -> None:
        self._child = child
        self._control = control
        self.net = net
        self._processes: dict[str, Process] = {}

    async def watch(self) -> None:
        """Wait for the end of the node's processes; raises NodeError then."""
        await self._control.ended.wait()
        raise NodeError("the node's processes have ended, and all pods with them")

    @classmethod
    async def open(
        cls, launched: Launched, preload: Sequence[str]
    ) -> "tuple[Runtime, wire.Message]":
        """Talk to the node's processes; returns also what they say of the network.

        `preload` are the Python modules that containers run from the warm interpreter.  Raises
        NodeError.
        """
        channel = Channel(launched.net)
        control = Channel(launched.control, lambda m, _fds: runtime._message(m))
        runtime = cls(launched.process, control, channel)
        control.on_end = runtime._lost
        control.send({"op": "preload", "modules": list(preload)})
        return runtime, await channel.first()

    async def run(
        self, identity: str, program: Program, output: int, network: int | None
    ) -> Process:
        """Start a container; its standard output and error go to the descriptor `output`."""
        return self._start(
            {"op": "start", "id": identity, **asdict(program)},
            [output] if network is None else [network, output],
        )

    async def exec(
        self, identity: str, of: str, program: Program, stdio: tuple[int, int, int]
    ) -> Process:
        """Start a further process in a running container."""
        return self._start({"op": "exec", "id": identity, "of": of, **asdict(program)}, stdio)

    def signal(self, identity: str, number: signal.Signals) -> None:
        """Send a signal to a container's process; one that cannot be reached has ended."""
        with contextlib.suppress(NodeError):
            self._control.send({"op": "signal", "id": identity, "signal": int(number)})

    async def close(self) -> None:
        """End every container and the node's processes."""
        self.net.close()
        self._control.close()
        self._child.kill()  # process 1 dies with it, and the kernel ends the rest
        await asyncio.to_thread(self._child.wait)

    def _start(self, message: wire.Message, fds: Sequence[int]) -> Process:
        process = self._processes[message["id"]] = Process(message["id"], self)
        try:
            self._control.send(message, fds)
        except NodeError:
            del self._processes[message["id"]]
            raise
        return process

    def _message(self, message: wire.Message) -> None:
        process = self._processes.get(message.get("id", ""))
        if process is None:
            return
        match message["op"]:
            case "started":
                process.tell_started("")
            case "failed":
                process.tell_started(message["message"])
                if not message.get("forked", True):
                    process.tell_exited(_NEVER_RAN)
            case "exited":
                process.oom_killed = message["oom"]
                process.tell_exited(message["code"])
        if process.over:
            del self._processes[process.identity]

    def _lost(self) -> None:
        """The node's processes have ended, and with them all containers."""
        for process in self._processes.values():
            process.tell_started("the node's processes have ended")
            process.tell_exited(128 + signal.SIGKILL)
        self._processes.clear()
