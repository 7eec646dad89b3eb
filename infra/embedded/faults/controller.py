"""The controller of Fault objects: what they ask to be broken is broken, and mended after them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.embedded.clock import Clock
from infra.embedded.errors import Conflict, NotFound
from infra.embedded.faults.api import ApiFault
from infra.embedded.faults.components import take_away
from infra.embedded.faults.definition import FAULT, definition
from infra.embedded.faults.model import Broken, Fault, FaultError, broken
from infra.embedded.following import follow
from infra.embedded.gateway.faults import GatewayFaults
from infra.embedded.kinds import CRD
from infra.embedded.kubelet.dns import DnsFaults
from infra.embedded.store import Event, Obj, Store, copy

_log = logging.getLogger(__name__)

FINALIZER = "emulator.vpm.dev/mend"


class Breakable(Protocol):
    """The gateway, as far as faults are concerned."""

    async def break_(self, faults: GatewayFaults) -> None: ...


@dataclass(slots=True)
class _Active:
    """What was last made of a Fault object; without a fault it could not be made."""

    spec: Obj
    fault: Fault | None = None
    end: asyncio.TimerHandle | None = None


class Faults:
    """The controller: keeps what is broken equal to the Fault objects."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        gateway: Breakable,
        dns: DnsFaults,
        api: Callable[[ApiFault], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._gateway = gateway
        self._dns = dns
        self._api = api
        self._active: dict[str, _Active] = {}
        self._now = Broken()

    def install(self) -> None:
        """Serve the kind, as this version knows it."""
        wanted = definition()
        known = self._store.find(CRD, "", wanted["metadata"]["name"])
        if known is None:
            self._store.create(CRD, wanted)
        else:
            self._store.update(CRD, {**copy(known), "spec": wanted["spec"]})

    async def run(self) -> None:
        """Follow the Fault objects until cancelled."""
        await follow(self._store, self._follow, FAULT)

    async def _follow(self, event: Event) -> None:
        """Act on the object as it is now: breaking something takes a while, and it may change."""
        name = event.obj["metadata"]["name"]
        current = self._store.find(FAULT, "", name)
        if current is None or "deletionTimestamp" in current["metadata"]:
            await self._end(name)
        elif name not in self._active or self._active[name].spec != current["spec"]:
            await self._begin(name, current)

    async def _begin(self, name: str, obj: Obj) -> None:
        self._cancel(name)
        self._active[name] = active = _Active(obj["spec"])
        try:
            active.fault = fault = Fault.parse(obj["spec"])
            self._hold(obj)
            await self._apply()
        except (FaultError, OSError) as error:
            active.fault = None
            _log.warning("fault %s: %s", name, error)
            self._tell(name, "Failed", str(error))
            return
        self._tell(name, "Active", "")
        if fault.lasts:
            later = asyncio.get_running_loop().call_later
            active.end = later(fault.lasts / self._clock.scale, self._mend, name)

    async def _end(self, name: str) -> None:
        self._cancel(name)
        self._active.pop(name, None)
        try:
            await self._apply()
        finally:  # what cannot be mended must not keep the object
            self._release(name)

    def _cancel(self, name: str) -> None:
        """Forget when an earlier fault of this name was to end."""
        before = self._active.get(name)
        if before is not None and before.end is not None:
            before.end.cancel()

    async def _apply(self) -> None:
        faults = (active.fault for active in self._active.values())
        wanted = broken([fault for fault in faults if fault is not None])
        if wanted.gateway != self._now.gateway:
            await self._gateway.break_(wanted.gateway)
        self._dns.faults = wanted.dns
        self._api(wanted.api)
        await take_away(self._store, wanted.components, self._now.components)
        self._now = wanted

    def _hold(self, fault: Obj) -> None:
        """Keep the object until what it broke is mended."""
        new = copy(fault)
        if FINALIZER not in new["metadata"].setdefault("finalizers", []):
            new["metadata"]["finalizers"].append(FINALIZER)
            self._store.update(FAULT, new)

    def _release(self, name: str) -> None:
        current = self._store.find(FAULT, "", name)
        if current is not None:
            new = copy(current)
            new["metadata"]["finalizers"] = _without(new["metadata"].get("finalizers", ()))
            self._store.update(FAULT, new)

    def _tell(self, name: str, phase: str, message: str) -> None:
        current = self._store.find(FAULT, "", name)
        if current is not None:
            status = {"phase": phase, **({"message": message} if message else {})}
            self._store.update_status(FAULT, {**current, "status": status})

    def _mend(self, name: str) -> None:
        try:
            self._store.delete(FAULT, "", name)
        except (NotFound, Conflict):
            return  # somebody was quicker


def _without(finalizers: Sequence[str]) -> list[str]:
    return [finalizer for finalizer in finalizers if finalizer != FINALIZER]
