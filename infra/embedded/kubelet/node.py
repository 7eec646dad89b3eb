"""What all pods of the node share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.embedded import events
from infra.embedded.clock import Clock
from infra.embedded.kinds import CONFIGMAP, SECRET
from infra.embedded.kubelet.environment import Obj
from infra.embedded.kubelet.images import Catalogue
from infra.embedded.kubelet.network import PodNetwork
from infra.embedded.kubelet.runtime import Runtime
from infra.embedded.kubelet.settings import NodeSettings
from infra.embedded.store import Store
from infra.embedded.tokens import mint

if TYPE_CHECKING:
    from infra.embedded.kubelet.dns import DnsFaults
    from infra.embedded.kubelet.inner import Components

COMPONENT = "kubelet"
DNS_ADDRESS = "10.96.0.10"
API_ADDRESS = "10.96.0.1"
_KINDS = {"ConfigMap": CONFIGMAP, "Secret": SECRET}


@dataclass(frozen=True, slots=True)
class Node:
    """The node's parts, handed to each pod."""

    store: Store
    clock: Clock
    settings: NodeSettings
    catalogue: Catalogue
    runtime: Runtime
    network: PodNetwork
    base: Path  # an empty folder: containers build their file system's view on it
    dns_faults: "DnsFaults"
    components: "Components"  # parts of this process that containers hold

    def event(self, pod: Obj, type: str, reason: str, message: str) -> None:
        """Tell something about a pod."""
        events.record(self.store, self.clock, dict(pod), type, reason, message, COMPONENT)

    def lookup(self, namespace: str) -> Callable[[str, str], Obj | None]:
        """How a pod's references to ConfigMaps and Secrets are followed."""
        return lambda kind, name: self.store.find(_KINDS[kind], namespace, name)

    def token(self, pod: Obj) -> str:
        """The token that a pod finds in its service account volume."""
        return mint(self.settings.secret, pod, self.clock.now())

    def etc_files(self, pod: Obj, address: str) -> dict[str, str]:
        """The files of /etc that each pod has of its own."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        domain = self.settings.cluster_domain
        hosts = (
            "# Kubernetes-managed hosts file.\n"
            "127.0.0.1\tlocalhost\n"
            "::1\tlocalhost ip6-localhost ip6-loopback\n"
            f"{address}\t{name}\n"
        )
        for alias in pod["spec"].get("hostAliases") or ():
            hosts += f"{alias['ip']}\t{' '.join(alias.get('hostnames') or ())}\n"
        files = {"hosts": hosts, "hostname": f"{name}\n"}
        if self.network.mode != "loopback":
            files["resolv.conf"] = (
                f"search {namespace}.svc.{domain} svc.{domain} {domain}\n"
                f"nameserver {DNS_ADDRESS}\n"
                "options ndots:5\n"
            )
        return files


@dataclass(slots=True)
class Backoff:
    """Delays that double, in cluster seconds."""

    first: float = 10.0
    last: float = 300.0
    current: float = 0.0

    def next(self) -> float:
        """The next delay."""
        self.current = min(self.current * 2, self.last) if self.current else self.first
        return self.current


async def cancel(*tasks: "asyncio.Task[object]") -> None:
    """Cancel tasks and wait until they are gone."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
