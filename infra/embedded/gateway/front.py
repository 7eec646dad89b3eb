"""The gateway's front: its ports, listeners and certificate, and how they can be broken."""

import asyncio
import errno
import logging
import socket
from collections.abc import Iterable, Sequence

from infra.embedded.address import can_bind, listen
from infra.embedded.clock import Clock
from infra.embedded.gateway import kourier, tls
from infra.embedded.gateway.certificates import Certificate
from infra.embedded.gateway.envoy import EXTERNAL, INTERNAL
from infra.embedded.gateway.faults import Exposure, GatewayFaults, StandIn, stand_in
from infra.embedded.gateway.prober import Listeners
from infra.embedded.gateway.process import Envoy
from infra.embedded.gateway.programmer import Programmer
from infra.embedded.gateway.routes import Routing
from infra.embedded.gateway.settings import GatewaySettings
from infra.embedded.kubelet.network import PodNetwork

_log = logging.getLogger(__name__)

INTERNAL_PORT = 80
_ANSWERS = 5  # of Envoy about its listeners
_TRIES, _PAUSE = 100, 0.02
_BUSY_TRIES = 20


class Front:
    """Decides where to listen, and keeps Envoy's listeners and certificate as they should be."""

    def __init__(
        self, clock: Clock, settings: GatewaySettings, network: PodNetwork, programmer: Programmer
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._network = network
        self._programmer = programmer
        self._names: tuple[str, ...] = ()  # of the certificate
        self._certificates: tuple[Certificate, ...] = ()  # of KIngresses that have their own
        self._faults = GatewayFaults()
        self._stand_ins: list[StandIn] = []
        self.listeners = Listeners((settings.address, 0), ("", 0))
        self.https_port: int | None = None
        self.internal_service = kourier.INTERNAL_ADDRESS  # where pods find the internal listener

    @property
    def probed(self) -> Listeners:
        """Where routes are probed: not where the way from outside is broken.

        As with kourier, whose readiness never crosses that way.
        """
        intact = self._faults.exposure is Exposure.OPEN and not self._faults.refused
        inside = self.listeners.internal
        return self.listeners if intact else Listeners(inside, inside)

    async def open(self) -> None:
        """Choose ports and write the listeners; raises OSError."""
        settings, network = self._settings, self._network
        external = (settings.address, await _choose(settings.address, settings.http_port))
        internal = (network.node, INTERNAL_PORT)
        if network.mode == "netns" and can_bind(*internal):
            self.internal_service = network.node
        else:
            internal = (settings.address, await _choose(settings.address, 0))
            network.forwards[self.internal_service, INTERNAL_PORT] = internal
        self.listeners = Listeners(external, internal)
        network.forwards[kourier.EXTERNAL_ADDRESS, 80] = external
        network.forwards[network.gateway, kourier.HTTP] = external
        network.forwards[network.gateway, kourier.INTERNAL] = internal
        if settings.https_port is not None and settings.authority is not None:
            self.https_port = await _choose(settings.address, settings.https_port)
            https = (settings.address, self.https_port)
            network.forwards[kourier.EXTERNAL_ADDRESS, 443] = https
            network.forwards[network.gateway, kourier.HTTPS] = https
        self.certify([])
        self._listen()

    async def unheard(self, envoy: Envoy) -> set[str]:
        """The listeners that Envoy should have and has not; raises OSError."""
        return {name for name, _, _ in self._wanted} - await envoy.listening()

    async def confirm(self, envoy: Envoy) -> None:
        """Have Envoy listen everywhere, on other ports where somebody took the chosen ones.

        Envoy gives up a listener whose port it cannot have, and nothing would ever be READY.
        Raises OSError.
        """
        for _ in range(_ANSWERS):
            if not (missing := await self.unheard(envoy)):
                return
            _log.warning("Envoy does not listen as it should: %s, %s", self.listeners, missing)
            await self.open()
            await self._settle(self._outside, open_=True)
        raise OSError(f"Envoy does not listen on {self._outside}")

    def certify(
        self, routings: Iterable[Routing], certificates: tuple[Certificate, ...] = ()
    ) -> None:
        """Keep a certificate that fits every external host, beside those of KIngresses."""
        if certificates != self._certificates:
            self._certificates = certificates
            self._listen()
        rules = (rule for one in routings for rule in one.rules if rule.external)
        names = tls.names((host for rule in rules for host in rule.hosts), self._settings.address)
        if names != self._names:
            self._names = names
            self._issue()

    async def break_(self, faults: GatewayFaults, *, live: bool = True) -> None:
        """Take these faults instead of the earlier ones; returns when they are in effect.

        An Envoy that is not `live` finds them when it starts.  Raises OSError when a port cannot
        be taken over.
        """
        before, self._faults = self._faults, faults
        if before.flaw != faults.flaw:
            self._issue()
        if before.exposure != faults.exposure:
            for server in self._stand_ins:
                server.close()
            self._stand_ins.clear()
        self._listen()
        if live and before.inside_closed != faults.inside_closed:
            await self._settle([self.listeners.internal], open_=not faults.inside_closed)
        if before.exposure == faults.exposure:
            return
        if live:
            await self._settle(self._outside, open_=faults.exposure is Exposure.OPEN)
        if faults.exposure not in (Exposure.OPEN, Exposure.CLOSED):
            for address in self._outside:
                self._stand_ins.append(await stand_in(faults.exposure, address))

    def close(self) -> None:
        for server in self._stand_ins:
            server.close()

    @property
    def _outside(self) -> list[tuple[str, int]]:
        """The external listeners' addresses."""
        https = self.https_port
        return [self.listeners.external, *([(self._settings.address, https)] if https else [])]

    def _issue(self) -> None:
        if self._settings.authority is not None:
            pair = tls.certificate(
                self._settings.authority, self._names, self._faults.flaw, self._clock
            )
            self._programmer.secret(pair.certificate, pair.key)

    @property
    def _wanted(self) -> list[tuple[str, tuple[str, int], str]]:
        """The listeners: name, address and the routes' audience."""
        inside = ("internal", self.listeners.internal, INTERNAL)
        wanted = [] if self._faults.inside_closed else [inside]
        if self._faults.exposure is Exposure.OPEN:
            wanted += zip(("http", "https"), self._outside, (EXTERNAL, EXTERNAL), strict=False)
        return wanted

    def _listen(self) -> None:
        seen = (self._network.node, self._network.activator)
        refused = self._faults.refused
        # A certificate that is flawed on purpose is everybody's.
        own = () if self._faults.flaw else self._certificates
        self._programmer.write_listeners(
            [
                self._programmer.listener(name, address, routes, seen, refused, own)
                for name, address, routes in self._wanted
            ]
        )

    async def _settle(self, addresses: Sequence[tuple[str, int]], *, open_: bool) -> None:
        """Wait until Envoy listens at all of these, or has let go of them."""
        for _ in range(_TRIES):
            if all(_is_busy(*address) == open_ for address in addresses):
                return
            await asyncio.sleep(_PAUSE)
        wanted = "listen on" if open_ else "let go of"
        raise OSError(f"Envoy does not {wanted} {addresses}")


async def _choose(address: str, port: int) -> int:
    """The port where it can be bound, if need be in a moment; else a free one."""
    for _ in range(_BUSY_TRIES):
        if not _is_busy(address, port):
            break
        await asyncio.sleep(_PAUSE)  # a server that was killed here may still be ending
    with listen(address, port) as probe:
        chosen: int = probe.getsockname()[1]
        return chosen


def _is_busy(address: str, port: int) -> bool:
    """Whether somebody listens there (a port that is forbidden to us is not busy)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
        return False
