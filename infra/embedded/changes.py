"""Changes of objects: the events, a bounded history of them, and subscriptions."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from infra.embedded.errors import Expired
from infra.embedded.kinds import Kind

Obj = dict[str, Any]
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

HISTORY = 4096  # changes kept for watches that resume
BACKLOG = 10_000  # changes a client may lag behind before it is cut off


@dataclass(frozen=True, slots=True)
class Event:
    """One change.  `obj` and `old` are shared: never mutate them.  `raw` is `obj` as JSON."""

    type: ChangeType
    kind: Kind
    obj: Obj
    old: Obj | None
    raw: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class _Past:
    """A change in the history, as JSON: several times smaller than the objects."""

    type: ChangeType
    kind: Kind
    raw: bytes
    old_raw: bytes | None
    revision: int

    def event(self) -> Event:
        old = json.loads(self.old_raw) if self.old_raw is not None else None
        return Event(self.type, self.kind, json.loads(self.raw), old, self.raw, self.revision)


class Subscription:
    """An async iterator of events; it ends when closed or when it lags too far behind."""

    def __init__(
        self,
        hub: "Changes",
        resources: frozenset[str],
        current: Iterable[Event],
        backlog: float,
    ) -> None:
        self._hub = hub
        self._events: deque[Event] = deque(current)
        self._most = len(self._events) + backlog
        self._waiter: asyncio.Future[None] | None = None
        self.resources = resources
        self.closed = False

    def push(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) > self._most:
            self.close()
        self._wake()

    def take(self) -> list[Event]:
        """All events that are there now, without waiting."""
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        self.closed = True
        self._hub.unsubscribe(self)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self.closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._events.popleft()


class Changes:
    """Tells every subscriber about every change of its kinds, and remembers the last ones."""

    def __init__(self, revision: int) -> None:
        self._past: deque[_Past] = deque(maxlen=HISTORY)
        self._subscribers: dict[str, list[Subscription]] = {}
        self.oldest = revision  # changes after this revision are in the history

    def subscribe(
        self, kinds: Iterable[Kind], current: Iterable[Event], *, backlog: float = BACKLOG
    ) -> Subscription:
        """A subscription that starts with `current`; no kinds at all means every kind.

        It ends when it lags more than `backlog` changes behind.
        """
        resources = frozenset(kind.table for kind in kinds) or frozenset({""})
        subscription = Subscription(self, resources, current, backlog)
        for resource in resources:
            self._subscribers.setdefault(resource, []).append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        for resource in subscription.resources:
            listeners = self._subscribers.get(resource, [])
            if subscription in listeners:
                listeners.remove(subscription)

    def close(self) -> None:
        """End every subscription."""
        for subscriptions in tuple(self._subscribers.values()):
            for subscription in tuple(subscriptions):
                subscription.close()

    def publish(self, event: Event, old_raw: bytes | None) -> None:
        if len(self._past) == HISTORY:
            self.oldest = self._past[0].revision
        self._past.append(_Past(event.type, event.kind, event.raw, old_raw, event.revision))
        for resource in (event.kind.table, ""):
            for subscription in tuple(self._subscribers.get(resource, ())):
                subscription.push(event)

    def before(self, kind: Kind, revision: int) -> dict[tuple[str, str], Obj | None]:
        """What the objects changed since a revision were then, None for those that were not there.

        Raises Expired when some changes are forgotten.
        """
        if revision < self.oldest:
            raise Expired(revision, self.oldest)
        found: dict[tuple[str, str], Obj | None] = {}
        for past in reversed(self._past):
            if past.revision <= revision:
                break
            if past.kind.table == kind.table:
                event = past.event()
                meta = event.obj["metadata"]
                found[meta.get("namespace", ""), meta["name"]] = event.old
        return found

    def since(self, kind: Kind, revision: int) -> list[Event]:
        """The changes of a kind after a revision; raises Expired when some are forgotten."""
        if revision < self.oldest:
            raise Expired(revision, self.oldest)
        return [
            past.event()
            for past in self._past
            if past.revision > revision and past.kind.table == kind.table
        ]
