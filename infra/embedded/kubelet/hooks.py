"""preStop hooks: what happens in a pod before its containers are told to end."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from infra.embedded.kubelet.containers import ContainerRunner
from infra.embedded.kubelet.execution import exec_probe
from infra.embedded.kubelet.node import Node

DRAIN_SECONDS = 30.0  # how long queue-proxy keeps a pod after it was told to end
DRAIN_PATH = "/wait-for-drain"  # of queue-proxy, which the node plays


async def before_end(node: Node, containers: Sequence[ContainerRunner], grace: float) -> None:
    """Run the hooks of all containers, for at most `grace` cluster seconds."""
    hooks = ((c, (c.spec.get("lifecycle") or {}).get("preStop")) for c in containers)
    await asyncio.gather(*(_run(node, c, hook, grace) for c, hook in hooks if hook))


async def _run(
    node: Node, container: ContainerRunner, hook: Mapping[str, Any], grace: float
) -> None:
    match hook:
        case {"httpGet": {"path": path}} if path == DRAIN_PATH:
            await node.clock.sleep(min(grace, DRAIN_SECONDS))
        case {"sleep": {"seconds": seconds}}:
            await node.clock.sleep(min(grace, float(seconds)))
        case {"exec": {"command": command}}:
            await exec_probe(container, tuple(command), grace / node.clock.scale)
