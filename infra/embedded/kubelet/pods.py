"""One pod: its network and volumes, its containers, its status, its end."""

import asyncio
import logging
from collections.abc import Callable

from infra.embedded import events
from infra.embedded.errors import Conflict, NotFound
from infra.embedded.kinds import POD
from infra.embedded.kubelet import hooks, status, volumes
from infra.embedded.kubelet.channel import NodeError
from infra.embedded.kubelet.containers import ContainerRunner
from infra.embedded.kubelet.environment import Obj
from infra.embedded.kubelet.inner import IMAGES, name_of
from infra.embedded.kubelet.network import close_namespace
from infra.embedded.kubelet.node import Backoff, Node, cancel
from infra.embedded.kubelet.probing import DEFAULT_GRACE
from infra.embedded.kubelet.sandbox import Sandbox

_log = logging.getLogger(__name__)


class PodRunner:
    """Runs one pod from its binding until it is gone from the store."""

    def __init__(self, node: Node, pod: Obj, failed: "Callable[[PodRunner], None]") -> None:
        """`failed` is told when the pod is not looked after any more, through an error."""
        self._node = node
        self._failed = failed
        self._uid: str = pod["metadata"]["uid"]
        folder = node.settings.state_dir / "pods" / self._uid
        self.sandbox = Sandbox(node, pod, "", None, folder, self._changed)
        before = _previous(pod)
        make = [(c, before.get(c["name"], 0)) for c in pod["spec"].get("initContainers") or ()]
        self.init = [ContainerRunner(self.sandbox, spec, restarts=n) for spec, n in make]
        make = [(c, before.get(c["name"], 0)) for c in pod["spec"]["containers"]]
        self.containers = [ContainerRunner(self.sandbox, spec, restarts=n) for spec, n in make]
        self._start_time = (pod.get("status") or {}).get("startTime") or node.clock.stamp()
        self._sync: asyncio.Handle | None = None
        self._terminating = False
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(self._ended)

    def update(self, pod: Obj) -> None:
        """The pod has changed in the store."""
        self.sandbox.pod = pod

    def refresh(self, kind: str, name: str) -> None:
        """A ConfigMap or Secret has changed: volumes that show it follow."""
        if self.sandbox.volumes and volumes.refers(self.sandbox.pod, kind, name):
            try:
                self._write_volumes()
            except volumes.VolumeError as error:
                self.sandbox.event(events.WARNING, "FailedMount", str(error))

    def find(self, name: str | None) -> ContainerRunner | None:
        """A container by name; without one the default container."""
        annotations = self.sandbox.pod["metadata"].get("annotations") or {}
        wanted = name or annotations.get("kubectl.kubernetes.io/default-container")
        every = [*self.containers, *self.init]
        return next((c for c in every if not wanted or c.spec["name"] == wanted), None)

    async def terminate(self) -> None:
        """End the pod with its grace period and take it out of the store."""
        if self._terminating:
            return
        self._terminating = True
        grace = self.sandbox.pod["metadata"].get("deletionGracePeriodSeconds")
        seconds = DEFAULT_GRACE if grace is None else float(grace)
        live = [c for c in (*self.init, *self.containers) if c.state.running]
        for container in (*self.init, *self.containers):
            container.final.set()
        for container in live:
            message = f"Stopping container {container.spec['name']}"
            self.sandbox.event(events.NORMAL, "Killing", message)
        if live and seconds > 0:
            await hooks.before_end(self._node, self.containers, seconds)
        await asyncio.gather(*(container.stop(seconds) for container in live))
        await self.close()
        self._write()
        meta = self.sandbox.pod["metadata"]
        try:
            self._node.store.delete(
                POD, meta["namespace"], meta["name"], grace=0, preconditions={"uid": self._uid}
            )
        except (NotFound, Conflict):
            return  # removed by someone else, or replaced

    async def close(self) -> None:
        """End whatever runs without grace, and give the pod's address back."""
        await cancel(self._task)
        await asyncio.gather(*(c.stop(0) for c in (*self.init, *self.containers)))
        self._release()

    def _release(self) -> None:
        if self.sandbox.address:
            close_namespace(self.sandbox.namespace)
            self._node.network.release(self.sandbox.address)
            self.sandbox.address, self.sandbox.namespace = "", None

    async def _run(self) -> None:
        await self._set_up()
        policy = self.sandbox.pod["spec"].get("restartPolicy", "Always")
        for container in self.init:
            code = await container.run("Never" if policy == "Never" else "OnFailure")
            if code != 0:
                self._changed()
                return
        self._changed()
        before = (None, *self.containers)
        async with asyncio.TaskGroup() as running:  # an error in one ends them all
            for container, earlier in zip(self.containers, before, strict=False):
                running.create_task(self._in_turn(container, earlier, policy))
        if not self._terminating:
            self._write()
            self._release()

    async def _in_turn(
        self, container: ContainerRunner, before: ContainerRunner | None, policy: str
    ) -> None:
        """Run a container once the one before it in the pod has been started, or could not be."""
        if before is not None:
            await before.begun.wait()
        if not container.final.is_set():
            await container.run(policy)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            meta = self.sandbox.pod["metadata"]
            where = f"{meta['namespace']}/{meta['name']}"
            _log.error("pod %s was not looked after", where, exc_info=error)
            self._failed(self)

    async def _set_up(self) -> None:
        """The pod's address, network namespace and volumes."""
        sandbox, network, backoff = self.sandbox, self._node.network, Backoff(0.5, 122.0)
        if self.init:
            for container in self.containers:
                container.state.state = status.INITIALIZING
        self._write()
        component = self._component()
        sandbox.address = network.allocate(component)
        while True:
            try:
                if sandbox.namespace is None and not component:
                    sandbox.namespace = await network.attach(sandbox.address)
                self._write_volumes()
            except NodeError as error:
                sandbox.event(events.WARNING, "FailedCreatePodSandBox", str(error))
            except volumes.VolumeError as error:
                self.sandbox.event(events.WARNING, "FailedMount", str(error))
            else:
                break
            await self._node.clock.sleep(backoff.next())
        if not network.isolated and _mounts(sandbox.pod):
            why = f"no mount namespaces: {network.reason}"
            sandbox.event(events.WARNING, "MountsNotVisible", why)

    def _component(self) -> str:
        """The part of the cluster's own process that the pod holds, which needs no network."""
        images: list[str] = [c["image"] for c in self.sandbox.pod["spec"]["containers"]]
        inner = all(image.startswith(f"{IMAGES}/") for image in images)
        return name_of(images[0]) if inner else ""

    def _write_volumes(self) -> None:
        """Write the volumes as they should be now; raises VolumeError."""
        sandbox = self.sandbox
        lookup = self._node.lookup(sandbox.pod["metadata"]["namespace"])
        folder = sandbox.folder / "volumes"
        sandbox.volumes = volumes.set_up(sandbox.pod, folder, lookup, self._node.token)

    def _changed(self) -> None:
        """Write the status soon, once for all that changes until then."""
        if self._sync is None:
            self._sync = asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        if self._sync is not None:
            self._sync.cancel()
            self._sync = None
        meta = self.sandbox.pod["metadata"]
        current = self._node.store.find(POD, meta["namespace"], meta["name"])
        if current is None or current["metadata"]["uid"] != self._uid:
            return
        address = self.sandbox.address
        seen = status.Observed(
            init=[c.state for c in self.init],
            containers=[c.state for c in self.containers],
            pod_ip=address or (current.get("status") or {}).get("podIP", ""),
            host_ip=self._node.network.node,
            start_time=self._start_time,
            now=self._node.clock.stamp(),
            sandbox=bool(address),
            terminating=self._terminating,
        )
        new = {**current, "status": status.pod_status(current, seen)}
        self.sandbox.pod = self._node.store.update_status(POD, new)


def _mounts(pod: Obj) -> bool:
    """Whether a container asks for mounts besides those that every pod has."""
    mounts = (m for c in pod["spec"]["containers"] for m in c.get("volumeMounts") or ())
    return any(not m["mountPath"].startswith("/var/run/secrets/") for m in mounts)


def _previous(pod: Obj) -> dict[str, int]:
    """Restart counts to go on from, of a pod that was running when the server ended."""
    old = pod.get("status") or {}
    every = [*(old.get("containerStatuses") or ()), *(old.get("initContainerStatuses") or ())]
    return {
        c["name"]: c.get("restartCount", 0) + ("running" in (c.get("state") or {})) for c in every
    }
