"""The kubelet: a pod runner for each pod that is bound to the node."""

import asyncio
import logging
import resource
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

from infra.embedded.clock import Clock
from infra.embedded.errors import BadRequest, InternalError
from infra.embedded.kinds import POD
from infra.embedded.kubelet import dns, services
from infra.embedded.kubelet.channel import NodeError
from infra.embedded.kubelet.containers import ContainerRunner
from infra.embedded.kubelet.images import Catalogue
from infra.embedded.kubelet.inner import Component
from infra.embedded.kubelet.keeper import PodKeeper
from infra.embedded.kubelet.logs import LogOptions
from infra.embedded.kubelet.network import PodNetwork
from infra.embedded.kubelet.node import API_ADDRESS, Node
from infra.embedded.kubelet.runtime import Runtime
from infra.embedded.kubelet.settings import NodeSettings
from infra.embedded.node.launch import Launched, launch
from infra.embedded.store import Store

_log = logging.getLogger(__name__)

MAX_FILES = 65_536


@dataclass(frozen=True, slots=True)
class ExecStreams:
    """Descriptors that an executed program gets as its standard input, output and error."""

    stdin: int
    stdout: int
    stderr: int


class Kubelet:
    """The node.  `start`, then `run` until cancelled, then `stop`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: NodeSettings,
        launched: Launched | None = None,
    ) -> None:
        """`launched` are the node's processes, where they have been started already."""
        self._launched = launched
        self._store = store
        self._clock = clock
        self._settings = settings
        self.catalogue = Catalogue.load(settings.images)
        self.dns_faults = dns.DnsFaults()
        self.components: dict[str, Component] = {}  # by name; to be filled before `run`
        self._node: Node | None = None
        self._keeper: PodKeeper | None = None

    async def start(self) -> None:
        """Start the node's processes and the pods' network; raises NodeError."""
        _allow_many_files()
        state = self._settings.state_dir
        shutil.rmtree(state / "pods", ignore_errors=True)  # of pods that died with a server
        base = state / "rootfs"
        base.mkdir(parents=True, exist_ok=True)
        launched = self._launched or launch()
        runtime, greeting = await Runtime.open(launched, self.catalogue.modules)
        network = PodNetwork(runtime.net, greeting)
        if network.mode == "loopback":
            _log.warning("pods share the host's network, see no cluster names%s: %s",
                         "" if network.isolated else " and no mounts", network.reason)  # fmt: skip
        if self._settings.api_address is not None:
            network.forwards[API_ADDRESS, 443] = self._settings.api_address
        self._node = Node(
            self._store,
            self._clock,
            self._settings,
            self.catalogue,
            runtime,
            network,
            base,
            self.dns_faults,
            self.components,
        )

    @property
    def node(self) -> Node:
        """The started node's parts."""
        if self._node is None:
            raise NodeError("the kubelet has not been started")
        return self._node

    @property
    def network(self) -> PodNetwork:
        return self.node.network

    @property
    def pod_network(self) -> str:
        """netns, userns or loopback."""
        return self.network.mode

    async def run(self) -> None:
        """Keep pods as the store says, serve names and Services to them; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.node.runtime.watch())
            group.create_task(dns.serve(self.node))
            group.create_task(services.ServiceProxy(self.node).run())
            self._keeper = PodKeeper(self.node)
            group.create_task(self._keeper.run())

    async def stop(self) -> None:
        """End all pods without grace and the node's processes."""
        if self._keeper is not None:
            await self._keeper.close()
        if self._node is None:
            return  # it could not be started, and whoever tried says why
        self.network.close()
        await self.node.runtime.close()

    async def logs(
        self, namespace: str, pod: str, container: str | None, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """The lines of a container's log.

        Raises NotFound and BadRequest with the kubelet's messages.
        """
        found = self._container(namespace, pod, container)
        logs = found.logs[:-1] if options.previous else found.logs
        name = found.spec["name"]
        if options.previous and (not logs or found.state.restarts == 0):
            raise BadRequest(f'previous terminated container "{name}" in pod "{pod}" not found')
        if not logs:
            waiting = found.state.state.get("waiting", {})
            reason = waiting.get("reason", "ContainerCreating")
            raise BadRequest(
                f'container "{name}" in pod "{pod}" is waiting to start: {_why(reason)}'
            )
        return logs[-1].read(options)

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: tuple[str, ...],
        streams: ExecStreams,
    ) -> int:
        """Run a program in a container; returns its exit code.

        Raises NotFound, BadRequest, and InternalError when the program cannot be started.
        """
        found = self._container(namespace, pod, container)
        if found.component is not None:
            raise BadRequest(
                f'container "{found.spec["name"]}" of pod "{pod}" is a part of the embedded'
                " cluster's own process: no program can be run in it"
            )
        stdio = (streams.stdin, streams.stdout, streams.stderr)
        try:
            process = await found.execute(argv, stdio)
        except NodeError:
            name = found.spec["name"]
            raise InternalError(f'container not found ("{name}")') from None
        if problem := await process.started():
            raise InternalError(f"OCI runtime exec failed: exec failed: {problem}: unknown")
        return await process.exited()

    def _container(self, namespace: str, pod: str, container: str | None) -> ContainerRunner:
        obj = self._store.get(POD, namespace, pod)
        runner = self._keeper.find(obj) if self._keeper else None
        found = runner.find(container) if runner else None
        if found is not None:
            return found
        names = [c["name"] for c in obj["spec"]["containers"]]
        if container is not None and container not in names:
            raise BadRequest(f"container {container} is not valid for pod {pod}")
        raise BadRequest(
            f'container "{container or names[0]}" in pod "{pod}" is waiting to start:'
            " ContainerCreating"
        )


def _allow_many_files() -> None:
    """Each pod takes a few descriptors, more than the usual soft limit has for hundreds of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _why(reason: str) -> str:
    """How the kubelet words a waiting reason in the answer to a request for logs."""
    return {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
        "CrashLoopBackOff": "CrashLoopBackOff",
    }.get(reason, reason)
