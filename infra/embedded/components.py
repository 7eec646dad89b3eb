"""Knative's own components as parts of this process: what the containers of their pods hold.

A part works while at least one container holds it, and what it logs is that container's log.  So
whoever scales its Deployment to zero takes it away, as on a real cluster.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from infra.embedded.clock import Clock, rfc3339_micro
from infra.embedded.control_plane import ControlPlane
from infra.embedded.controllers.system import GATEWAY, NAMES
from infra.embedded.faults import BreakableApi
from infra.embedded.gateway import Gateway
from infra.embedded.kinds import DEPLOYMENT, POD
from infra.embedded.kubelet.inner import ENDED
from infra.embedded.kubelet.logs import ContainerLog
from infra.embedded.store import Store

_PACKAGE = __name__.rpartition(".")[0]


class Part:
    """A part that is turned on and off; it logs through these loggers (below infra.embedded)."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        turn: Callable[[bool], None],
        loggers: Sequence[str],
        works: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self._clock = clock
        self._turn = turn
        self._loggers = [logging.getLogger(f"{_PACKAGE}.{logger}") for logger in loggers]
        self._works = works
        self._holders = 0
        turn(False)

    async def run(self, log: ContainerLog) -> int:
        """See `Component`."""
        lines = _Lines(self.name, self._clock, log)
        lines.say("INFO", "Started: a part of the embedded cluster's own process")
        self._hold(lines)
        try:
            await asyncio.Event().wait()
        finally:
            self._release(lines)
            lines.say("INFO", "Stopped")
        return ENDED

    @property
    def held(self) -> bool:
        """Whether it works."""
        return self._holders > 0

    async def check(self) -> str:
        """See `Component`."""
        return "" if self._works() else f"{self.name} has ended"

    def _hold(self, lines: logging.Handler) -> None:
        for logger in self._loggers:
            logger.setLevel(logging.DEBUG)  # the server's own log takes what its handler lets in
            logger.addHandler(lines)
        self._holders += 1
        if self._holders == 1:
            self._turn(True)

    def _release(self, lines: logging.Handler) -> None:
        self._holders -= 1
        if not self._holders:
            self._turn(False)
        for logger in self._loggers:
            logger.removeHandler(lines)


class HeldGateway:
    """Envoy, which a container starts and ends."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def run(self, log: ContainerLog) -> int:
        """See `Component`."""
        return await self._gateway.hold(log)

    @property
    def held(self) -> bool:
        """Whether it works."""
        return self._gateway.live

    async def check(self) -> str:
        """See `Component`."""
        return await self._gateway.check()


class _Lines(logging.Handler):
    """Log records as lines of a container's log, in the form of Knative's logs."""

    def __init__(self, name: str, clock: Clock, log: ContainerLog) -> None:
        super().__init__(logging.DEBUG)
        self._name = name
        self._clock = clock
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info is not None and record.exc_info[1] is not None:
            error = record.exc_info[1]
            message = f"{message}: {type(error).__name__}: {error}"
        severity = "INFO" if record.levelno < logging.WARNING else record.levelname
        self.say(severity, message)

    def say(self, severity: str, message: str) -> None:
        """Write one line."""
        stamp = rfc3339_micro(self._clock.now())
        fields = {"severity": severity, "timestamp": stamp, "logger": self._name}
        self._log.write(json.dumps({**fields, "message": message}, ensure_ascii=False))


def components(
    clock: Clock, gateway: Gateway, plane: ControlPlane, api: BreakableApi
) -> Mapping[str, Part | HeldGateway]:
    """All components, by the names of their Deployments; they do not work until they are held."""
    parts = (
        Part("activator", clock, turn=gateway.turn_activator, loggers=["gateway.activator"]),
        Part(
            "autoscaler",
            clock,
            turn=plane.turn_autoscaler,
            loggers=["autoscaler"],
            works=plane.works,
        ),
        Part(
            "controller",
            clock,
            turn=plane.turn_controller,
            loggers=["controllers.serving"],
            works=plane.works,
        ),
        Part("webhook", clock, turn=api.turn_webhook, loggers=["admission.knative"]),
        Part(
            "net-kourier-controller",
            clock,
            turn=gateway.turn_controller,
            loggers=["gateway.clusters", "gateway.gateway", "gateway.ingresses"],
        ),
    )
    return {GATEWAY: HeldGateway(gateway), **{part.name: part for part in parts}}


async def settled(store: Store, parts: Mapping[str, Part | HeldGateway], gateway: Gateway) -> None:
    """Return once every component that is wanted works and its Deployment says so.

    Raises EnvoyError when the gateway cannot be started.
    """
    changes = store.watch(DEPLOYMENT, POD)
    try:
        async for _ in changes:
            if gateway.failure is not None:
                raise gateway.failure
            if all(parts[name].held and is_up for name, is_up in _wanted(store)):
                return
    finally:
        changes.close()


def _wanted(store: Store) -> Iterator[tuple[str, bool]]:
    """The components that somebody wants to work, and whether their Deployments are available."""
    for namespace, name in NAMES:
        deployment = store.find(DEPLOYMENT, namespace, name)
        if deployment is not None and deployment["spec"].get("replicas", 1):
            status = deployment.get("status") or {}
            yield name, bool(status.get("availableReplicas"))
