"""The parts of a cluster besides its API server: controllers, kubelet, gateway."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from infra.embedded.api.context import Pods
from infra.embedded.clock import Clock
from infra.embedded.namespaces import NamespaceController
from infra.embedded.settings import Settings
from infra.embedded.store import Store


class Component(Protocol):
    """A part that runs for as long as the cluster does."""

    async def run(self) -> None: ...


async def _at_once() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Node:
    """The parts that are running, and what the API server must know of them."""

    components: Sequence[Component]
    pods: Pods | None = None
    pod_network: str = "loopback"
    gateway_ports: Mapping[str, int] = field(default_factory=dict)
    ready: Callable[[], Awaitable[None]] = _at_once


def build(
    settings: Settings, store: Store, clock: Clock, gateway: str, api: tuple[str, int]
) -> Node:
    """Make the parts; none of them does anything before `run`."""
    del settings, gateway, api
    return Node([NamespaceController(store, clock)])
