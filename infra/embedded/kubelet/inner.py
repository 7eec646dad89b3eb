"""Containers whose program is a part of the cluster's own process."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from infra.embedded.kubelet.logs import ContainerLog
from infra.embedded.kubelet.node import cancel

_log = logging.getLogger(__name__)

IMAGES = "vpm-harness/embedded"
"""Where the images of components are: nowhere but in the catalogue."""

ENDED, FAILED = 0, 1  # exit codes: of one that was asked to end, and of one that could not work


class Component(Protocol):
    """What works while a container holds it."""

    async def run(self, log: ContainerLog) -> int:
        """Work until cancelled, or until it ends by itself with an exit code."""
        ...

    async def check(self) -> str:
        """Why it does not work, as a probe says it; empty when it does."""
        ...


Components = Mapping[str, Component]


def name_of(image: str) -> str:
    """The component that an image stands for."""
    return image.rpartition("/")[2].partition(":")[0].partition("@")[0]


class Held:
    """A component that a container holds: begun, and ended on request."""

    def __init__(self, component: Component, log: ContainerLog) -> None:
        self._log = log
        self._task = asyncio.ensure_future(component.run(log))

    async def exited(self) -> int:
        """The exit code, once it has ended; cancelled, it ends the component."""
        try:
            await asyncio.wait({self._task})
        finally:
            await self.end()
        if self._task.cancelled():
            return ENDED
        if (error := self._task.exception()) is not None:
            _log.error("a component has failed", exc_info=error)
            self._log.write(f"{type(error).__name__}: {error}")
            return FAILED
        return self._task.result()

    async def end(self) -> None:
        """End it; returns when it has ended."""
        await cancel(self._task)
