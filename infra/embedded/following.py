"""Following objects: one odd object, or one bug, must not end a part of the cluster."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from infra.embedded.kinds import Kind
from infra.embedded.store import Event, Store

_log = logging.getLogger(__name__)

Act = Callable[[Event], Coroutine[Any, Any, None] | None]


async def follow(store: Store, act: Act, *kinds: Kind) -> None:
    """Act on the present objects of these kinds (none: of all kinds) and on each change of them.

    Until cancelled.  An error is logged with the object's name, and the next change is acted on.
    """
    subscription = store.watch(*kinds)
    try:
        async for event in subscription:
            try:
                doing = act(event)
                if doing is not None:
                    await doing
            except Exception:  # noqa: BLE001 - the other objects are still to be looked after
                meta = event.obj["metadata"]
                where = f"{meta.get('namespace', '')}/{meta['name']}".lstrip("/")
                _log.exception("%s of %s %s", event.type, event.kind.resource, where)
    finally:
        subscription.close()
