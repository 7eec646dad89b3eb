"""The controller of Fault objects: what they ask to be broken is broken, and mended after them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from infra.embedded.clock import Clock
from infra.embedded.errors import Conflict, NotFound
from infra.embedded.faults.api import ApiFault
from infra.embedded.faults.definition import FAULT, definition
from infra.embedded.faults.model import Broken, Fault, FaultError, broken
from infra.embedded.gateway.faults import GatewayFaults
from infra.embedded.kinds import CRD
from infra.embedded.kubelet.dns import DnsFaults
from infra.embedded.store import Event, Obj, Store, copy

_log = logging.getLogger(__name__)

FINALIZER = "emulator.vpm.dev/mend"


class Breakable(Protocol):
    """The gateway, as far as faults are concerned."""

    async def break_(self, faults: GatewayFaults) -> None: ...


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
        self._active: dict[str, Fault] = {}
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
        subscription = self._store.watch(FAULT)
        try:
            async for event in subscription:
                await self._follow(event)
        finally:
            subscription.close()

    async def _follow(self, event: Event) -> None:
        name = event.obj["metadata"]["name"]
        if event.type == "DELETED" or "deletionTimestamp" in event.obj["metadata"]:
            self._active.pop(name, None)
            await self._apply()
            self._release(name)
            return
        if event.old is not None and event.old["spec"] == event.obj["spec"]:
            return
        try:
            self._active[name] = fault = Fault.parse(event.obj["spec"])
            self._hold(event.obj)
            await self._apply()
        except (FaultError, OSError) as error:
            self._active.pop(name, None)
            _log.warning("fault %s: %s", name, error)
            self._tell(name, "Failed", str(error))
            return
        self._tell(name, "Active", "")
        if fault.lasts:
            asyncio.get_running_loop().call_later(fault.lasts / self._clock.scale, self._mend, name)

    async def _apply(self) -> None:
        wanted = broken(self._active.values())
        if wanted.gateway != self._now.gateway:
            await self._gateway.break_(wanted.gateway)
        self._dns.faults = wanted.dns
        self._api(wanted.api)
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
