"""Runs controllers: one subscription to the store, one queue, one worker."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from infra.embedded.clock import Clock
from infra.embedded.controllers.runtime.controller import (
    Controller,
    Key,
    KeysOf,
    ReconcileError,
)
from infra.embedded.controllers.runtime.queue import WorkQueue
from infra.embedded.errors import Conflict, StatusError
from infra.embedded.following import follow
from infra.embedded.kinds import Kind
from infra.embedded.store import Event, Store

_FIRST_DELAY, _AFTER_BUG = 0.005, 1.0  # cluster seconds


_Interests = Mapping[str, Sequence[tuple[str, KeysOf]]]


class Component(Protocol):
    """A part of the cluster that runs until it is cancelled."""

    async def run(self) -> None: ...


class _Work(NamedTuple):
    controller: str
    key: Key


class Manager:
    """Feeds controllers with the keys that changes of objects concern, in order of the changes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._queue: WorkQueue[_Work] = WorkQueue(clock)
        self._controllers: dict[str, Controller] = {}
        self._off: set[str] = set()  # controllers whose work is left for later
        self._left: dict[_Work, None] = {}
        self.working = False

    def turn(self, controllers: Iterable[Controller], *, on: bool) -> None:
        """Turn controllers on, or off: what there is to do for them is then kept until later."""
        names = {controller.name for controller in controllers}
        self._off = self._off - names if on else self._off | names
        for work in [work for work in self._left if work.controller not in self._off]:
            del self._left[work]
            self._queue.add(work)

    def register(self, controllers: Iterable[Controller]) -> None:
        """The controllers to run; to be called before `run`."""
        self._controllers |= {controller.name: controller for controller in controllers}

    async def run(self) -> None:
        """Work until cancelled."""
        kinds, interested = _interests(self._controllers.values())
        self.working = True
        try:
            async with asyncio.TaskGroup() as tasks:
                listening = follow(self._store, partial(self._dispatch, interested), *kinds)
                tasks.create_task(listening, name="controllers: changes")
                tasks.create_task(self._work(), name="controllers: work")
        finally:
            self.working = False

    def enqueue(self, controller: str, key: Key) -> None:
        """Ask for a key to be worked on, for reasons that no object shows."""
        self._queue.add(_Work(controller, key))

    def enqueuer(self, controller: str) -> Callable[[Key], None]:
        """`enqueue` for one controller."""
        return lambda key: self.enqueue(controller, key)

    def _dispatch(self, interested: _Interests, event: Event) -> None:
        for name, keys in interested.get(event.kind.resource, ()):
            for key in keys(event.obj):
                self._queue.add(_Work(name, key))
            if event.old is not None and event.type == "MODIFIED":
                for key in keys(event.old):
                    self._queue.add(_Work(name, key))

    async def _work(self) -> None:
        while True:
            work = await self._queue.get()
            if work.controller in self._off:
                self._left[work] = None
                continue
            self._reconcile(work)
            await asyncio.sleep(0)  # lets the changes that were just written be dispatched

    def _reconcile(self, work: _Work) -> None:
        controller = self._controllers[work.controller]
        log = logging.getLogger(type(controller).__module__)  # whose log it is tells whose work
        before = self._store.revision
        try:
            again = controller.reconcile(work.key)
        except ReconcileError as error:
            delay = self._queue.retry(work, error.base)
            log.info("%s %s/%s: %s; again in %.3gs", work.controller, *work.key, error, delay)
        except Conflict:
            self._queue.add(work)
        except StatusError as error:
            delay = self._queue.retry(work, _FIRST_DELAY)
            log.warning("%s %s/%s: %s; again in %.3gs", work.controller, *work.key, error, delay)
        except Exception:  # one odd object must not stop the work on all others
            delay = self._queue.retry(work, _AFTER_BUG)
            log.exception("%s %s/%s; again in %.3gs", work.controller, *work.key, delay)
        else:
            self._queue.forget(work)
            if self._store.revision != before:
                log.debug("%s %s/%s: brought up to date", work.controller, *work.key)
            if again is not None:
                self._queue.add_after(work, again)


def _interests(controllers: Iterable[Controller]) -> tuple[Sequence[Kind], _Interests]:
    """All kinds that are watched, and per resource the controllers with their mapping to keys."""
    kinds: dict[str, Kind] = {}
    interested: dict[str, list[tuple[str, KeysOf]]] = {}
    for controller in controllers:
        for watch in controller.watches():
            kinds.setdefault(watch.kind.resource, watch.kind)
            interested.setdefault(watch.kind.resource, []).append((controller.name, watch.keys))
    return tuple(kinds.values()), interested
