"""One container of a pod: pulled, configured, started, probed, restarted, ended."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from infra.embedded import events
from infra.embedded.kubelet import status
from infra.embedded.kubelet.channel import NodeError
from infra.embedded.kubelet.environment import ConfigError
from infra.embedded.kubelet.images import Image
from infra.embedded.kubelet.inner import Component, Held, name_of
from infra.embedded.kubelet.logs import MAX_BYTES, MAX_COMPONENT_BYTES, ContainerLog
from infra.embedded.kubelet.node import Backoff, cancel
from infra.embedded.kubelet.probing import Prober
from infra.embedded.kubelet.pulling import pull
from infra.embedded.kubelet.runtime import Process, Program
from infra.embedded.kubelet.sandbox import Sandbox, container_program
from infra.embedded.kubelet.status import ContainerState, waiting

CONFIG_RETRY = 2.0  # cluster seconds between looks for a missing ConfigMap or Secret
NOTICE = 0.5  # what the kubelet takes to notice that a container has ended
FORGET_CRASHES = 600.0  # a run this long resets the back-off
START_ERROR = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed:"
    " runc create failed: unable to start container process: {}: unknown"
)

_T = TypeVar("_T")


class ContainerRunner:
    """Keeps one container running as its pod's restart policy says."""

    def __init__(self, sandbox: Sandbox, spec: Mapping[str, Any], *, restarts: int = 0) -> None:
        self.spec = spec
        self.state = ContainerState(
            name=spec["name"],
            image=spec["image"],
            state=status.CREATING,
            mounts=spec.get("volumeMounts") or (),
            resources=spec.get("resources") or {},
            restarts=restarts,
        )
        self.logs: list[ContainerLog] = []
        self.process: Process | None = None
        self._sandbox = sandbox
        self._node = sandbox.node
        self.program: Program | None = None
        self.component: Component | None = None  # what runs in the process's place
        self._held: Held | None = None
        self.begun = asyncio.Event()  # the first start has succeeded or failed
        self.final = asyncio.Event()  # no further start, whatever the policy
        self._crashes = Backoff()
        self._crashed = False
        self._stop = asyncio.Event()

    async def run(self, policy: str) -> int:
        """Run until the policy lets it rest; returns the last exit code."""
        while True:
            image = await pull(self._sandbox, self.spec["image"], self._show)
            self.state.image_id = image.digest
            program = self.program = await self._configure(image)
            begin = self._node.clock.monotonic()
            code = await self._once(image, program)
            if self.final.is_set() or policy == "Never" or (policy == "OnFailure" and code == 0):
                return code
            if self._node.clock.monotonic() - begin > FORGET_CRASHES:
                self._crashes, self._crashed = Backoff(), False
            await self._back_off()
            if self.final.is_set():
                return code

    async def stop(self, grace: float) -> None:
        """End the container: SIGTERM, and SIGKILL after `grace` cluster seconds."""
        self.final.set()
        self._stop.set()
        await self.end_process(grace)

    async def end_process(self, grace: float) -> None:
        """End what runs now; the restart policy says what follows."""
        if self._held is not None:
            await self._held.end()
        process = self.process
        if process is None:
            return
        process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace / self._node.clock.scale):
                await process.exited()
        except TimeoutError:
            process.signal(signal.SIGKILL)
            await process.exited()

    async def execute(self, argv: tuple[str, ...], stdio: tuple[int, int, int]) -> Process:
        """Start a further program in the running container; raises NodeError."""
        if self.program is None or self.process is None:
            raise NodeError(f"container {self.spec['name']} is not running")
        program = replace(self.program, argv=argv, entry="")
        identity = f"exec-{os.urandom(16).hex()}"
        return await self._node.runtime.exec(identity, self.process.identity, program, stdio)

    def _show(self, state: status.Obj) -> None:
        self.state.state = state
        self.begun.set()
        if "running" not in state:
            self.state.ready = self.state.started = False
        self._sandbox.changed()

    async def _configure(self, image: Image) -> Program:
        while True:
            try:
                return container_program(self._sandbox, self.spec, image)
            except ConfigError as error:
                self._sandbox.event(events.WARNING, "Failed", f"Error: {error}")
                self._show(waiting("CreateContainerConfigError", str(error)))
                await self._node.clock.sleep(CONFIG_RETRY)

    async def _once(self, image: Image, program: Program) -> int:
        """One run, from its creation to its end; returns the exit code."""
        name, folder = self.spec["name"], self._sandbox.folder
        self._sandbox.event(events.NORMAL, "Created", f"Created container: {name}")
        most = MAX_COMPONENT_BYTES if image.builtin == "component" else MAX_BYTES
        log = ContainerLog(folder / name / f"{self.state.restarts}.log", self._node.clock, most)
        self.logs = [*self.logs[-1:], log]
        container_id = f"embedded://{os.urandom(32).hex()}"
        self.state.container_id = container_id
        started = self._node.clock.stamp()
        try:
            problem, code = await self._execute(image, program, log, started)
        finally:
            log.close()
        # A run that was cancelled keeps its process: whoever ends the pod has to end it.
        process, self.process = self.process, None
        message, reason = problem, ""
        if problem:
            code, reason = 128, "StartError"
            self._sandbox.event(events.WARNING, "Failed", f"Error: {problem}")
        elif code != 0:
            reason = "OOMKilled" if process is not None and process.oom_killed else ""
            if self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
                message = log.message()
        ended = status.terminated(
            code,
            started="1970-01-01T00:00:00Z" if problem else started,
            finished=self._node.clock.stamp(),
            container_id=container_id,
            message=message,
            reason=reason,
        )
        self._show(ended)
        return code

    async def _execute(
        self, image: Image, program: Program, log: ContainerLog, started: str
    ) -> tuple[str, int]:
        """Run the process to its end; returns why it could not start, and its exit code."""
        if image.builtin == "component":
            return await self._hold(log, started)
        if image.builtin:
            log.release()
            log.write(_builtin_greeting(image))
            await self._serve(started, self._stop.wait())
            return "", 0
        try:
            self.process = await self._node.runtime.run(
                self.state.container_id, program, log.output, self._sandbox.namespace
            )
        except NodeError as error:
            return str(error), 128
        finally:
            log.release()
        if problem := await self.process.started():
            return START_ERROR.format(problem), 128
        return "", await self._serve(started, self.process.exited())

    async def _hold(self, log: ContainerLog, started: str) -> tuple[str, int]:
        """Have a part of the cluster's own process work until it ends."""
        name = name_of(self.spec["image"])
        self.component = component = self._node.components.get(name)
        try:
            if component is None:
                return START_ERROR.format(f'"{name}" is no component of the cluster'), 128
            self._held = Held(component, log)
            return "", await self._serve(started, self._held.exited())
        finally:
            self._held = None
            log.release()

    async def _serve(self, started: str, end: Awaitable[_T]) -> _T:
        """Show the container as running and probe it until `end`."""
        self._sandbox.event(events.NORMAL, "Started", f"Started container {self.spec['name']}")
        prober = Prober(self, self._sandbox)
        self.state.started = not prober.has("Startup")
        self.state.ready = self.state.started and not prober.has("Readiness")
        self._show({"running": {"startedAt": started}})
        probing = asyncio.ensure_future(prober.run())
        try:
            return await end
        finally:
            await cancel(probing)

    async def _back_off(self) -> None:
        """Wait before the next start; the first restart comes as soon as the end is noticed."""
        self.state.last = self.state.state
        if not self._crashed:
            self._crashed = True
            await self._node.clock.sleep(NOTICE)
        else:
            seconds, name = self._crashes.next(), self.spec["name"]
            meta = self._sandbox.pod["metadata"]
            pod = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
            again = f"Back-off restarting failed container {name} in pod {pod}"
            self._sandbox.event(events.WARNING, "BackOff", again)
            why = f"back-off {_duration(seconds)} restarting failed container={name} pod={pod}"
            self._show(waiting("CrashLoopBackOff", why))
            await self._node.clock.sleep(seconds)
        self.state.restarts += 1


def _duration(seconds: float) -> str:
    """As Go prints durations of whole seconds: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _builtin_greeting(image: Image) -> str:
    return json.dumps(
        {"severity": "INFO", "logger": image.builtin, "message": "Served by the node itself"}
    )
