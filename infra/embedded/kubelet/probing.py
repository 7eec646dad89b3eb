"""Probing a running container: the loops, and what their verdicts do."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from infra.embedded import events
from infra.embedded.kubelet import probes
from infra.embedded.kubelet.execution import exec_probe
from infra.embedded.kubelet.inner import Component
from infra.embedded.kubelet.probes import Kind, Probe, ProbeFailed, Tally, Target
from infra.embedded.kubelet.sandbox import Sandbox

if TYPE_CHECKING:
    from infra.embedded.kubelet.containers import ContainerRunner

_log = logging.getLogger(__name__)

DEFAULT_GRACE = 30.0  # cluster seconds that a container is given to end
_FIELDS: dict[Kind, str] = {
    "Startup": "startupProbe",
    "Liveness": "livenessProbe",
    "Readiness": "readinessProbe",
}
# The kubelet probes an unready container again whenever it looks at the pod, which it does when
# the pod's status changes: about one and two seconds after the start.
_EARLY = (1.0, 1.0)


class Prober:
    """Runs the probes of one container from its start to its end."""

    def __init__(self, runner: "ContainerRunner", sandbox: Sandbox) -> None:
        self._runner = runner
        self._sandbox = sandbox
        self._clock = sandbox.node.clock
        self._app = _app_container(sandbox, runner)
        self._is_queue_proxy = self._app is not runner.spec
        agent = probes.QUEUE_PROXY_USER_AGENT if self._is_queue_proxy else probes.USER_AGENT
        self._target = Target(
            self._app,
            sandbox.address,
            sandbox.node.network,
            lambda argv, timeout: exec_probe(runner, argv, timeout),
            user_agent=agent,
        )

    def has(self, kind: Kind) -> bool:
        """Whether the container has this probe."""
        return bool(self._runner.spec.get(_FIELDS[kind]))

    async def run(self) -> None:
        """Probe until cancelled: first the startup probe, then the other two."""
        if self.has("Startup") and not await self._startup():
            return
        state = self._runner.state
        if not self._runner.state.started:
            state.started = True
            state.ready = not self.has("Readiness")
            self._sandbox.changed()
        await asyncio.gather(
            *(self._watch(kind) for kind in ("Liveness", "Readiness") if self.has(kind))
        )

    async def _startup(self) -> bool:
        probe = self._probe("Startup")
        tally = Tally(verdict=True)
        await self._clock.sleep(probe.initial_delay)
        while True:
            ok = await self._ask("Startup", probe)
            if ok:
                return True
            tally = tally.add(ok, probe)
            if not tally.verdict:
                await self._restart("startup")
                return False
            await self._clock.sleep(probe.period)

    async def _watch(self, kind: Kind) -> None:
        probe = self._probe(kind)
        tally = Tally(verdict=kind == "Liveness")
        early = _early(probe)
        await self._clock.sleep(probe.initial_delay)
        while True:
            tally = tally.add(await self._ask(kind, probe), probe)
            if kind == "Liveness" and not tally.verdict:
                await self._restart("liveness")
                return
            if kind == "Readiness" and tally.verdict != self._runner.state.ready:
                self._runner.state.ready = tally.verdict
                self._sandbox.changed()
            waiting = kind == "Readiness" and not tally.verdict
            await self._clock.sleep(next(early, probe.period) if waiting else probe.period)

    def _probe(self, kind: Kind) -> Probe:
        return Probe.parse(self._runner.spec[_FIELDS[kind]])

    async def _ask(self, kind: Kind, probe: Probe) -> bool:
        try:
            if self._runner.component is not None:
                await _check(self._runner.component, probe)
            elif self._is_queue_proxy:
                await probes.ask_queue_proxy(self._target, self._runner.spec, self._clock)
            else:
                await self._target.ask(probe)
        except ProbeFailed as failure:
            message = f"{kind} probe failed: {failure}"
        except Exception as error:  # noqa: BLE001 - an odd probe is shown, and asked again
            _log.debug("%s probe of %s", kind, self._runner.spec["name"], exc_info=error)
            message = f"{kind} probe errored: {error or type(error).__name__}"
        else:
            return True
        self._sandbox.event(events.WARNING, "Unhealthy", message)
        return False

    async def _restart(self, probe: str) -> None:
        name = self._runner.spec["name"]
        message = f"Container {name} failed {probe} probe, will be restarted"
        self._sandbox.event(events.NORMAL, "Killing", message)
        grace = self._sandbox.pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE)
        await self._runner.end_process(float(grace))


async def _check(component: Component, probe: Probe) -> None:
    """Ask a part of the cluster's own process, whatever the probe would ask of a port."""
    try:
        async with asyncio.timeout(probe.timeout):
            why = await component.check()
    except TimeoutError:
        why = f"no answer within {probe.timeout:g}s"
    if why:
        raise ProbeFailed(why)


def _early(probe: Probe) -> Iterator[float]:
    return (delay for delay in _EARLY if delay < probe.period)


def _app_container(sandbox: Sandbox, runner: "ContainerRunner") -> Mapping[str, Any]:
    """The container that is really asked: the app where queue-proxy stands before it."""
    env = {entry["name"] for entry in runner.spec.get("env") or ()}
    if probes.READINESS_VARIABLE not in env:
        return runner.spec
    others = [c for c in sandbox.pod["spec"]["containers"] if c["name"] != runner.spec["name"]]
    return others[0] if others else runner.spec
