"""A runner for each pod that is bound to the node, from its binding to its end."""

import asyncio
import logging
from collections.abc import Coroutine

from infra.embedded.following import follow
from infra.embedded.kinds import CONFIGMAP, POD, SECRET
from infra.embedded.kubelet.environment import Obj
from infra.embedded.kubelet.node import Node, cancel
from infra.embedded.kubelet.pods import PodRunner
from infra.embedded.kubelet.scheduler import Scheduler
from infra.embedded.store import Event

_log = logging.getLogger(__name__)

AFTER_BUG = 5.0  # cluster seconds until a pod whose runner failed is looked after again


class PodKeeper:
    """Keeps the runners as the store says."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._scheduler = Scheduler(node.store, node.clock, node.settings.node_name)
        self._pods: dict[str, PodRunner] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow pods, and what their volumes show, until cancelled."""
        await follow(self._node.store, self._changed, POD, CONFIGMAP, SECRET)

    async def close(self) -> None:
        """End all pods without grace."""
        await cancel(*self._ending)
        await asyncio.gather(*(runner.close() for runner in self._pods.values()))

    def find(self, pod: Obj) -> PodRunner | None:
        """The runner of a pod."""
        return self._pods.get(pod["metadata"]["uid"])

    def _changed(self, event: Event) -> None:
        if event.kind is POD:
            self._pod_changed(event)
        elif event.type == "MODIFIED":
            self._configuration_changed(event)

    def _pod_changed(self, event: Event) -> None:
        pod = event.obj
        if event.type == "DELETED":
            self._forget(pod)
        elif pod["spec"].get("nodeName") == self._node.settings.node_name:
            self._keep(pod)
        self._scheduler.changed(event)

    def _configuration_changed(self, event: Event) -> None:
        meta = event.obj["metadata"]
        for runner in self._pods.values():
            if runner.sandbox.pod["metadata"]["namespace"] == meta["namespace"]:
                runner.refresh(event.kind.kind, meta["name"])

    def _keep(self, pod: Obj) -> None:
        uid, deleted = pod["metadata"]["uid"], "deletionTimestamp" in pod["metadata"]
        runner = self._pods.get(uid)
        if runner is None:
            if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") and not deleted:
                return
            runner = self._pods[uid] = PodRunner(self._node, pod, self._failed)
        runner.update(pod)
        if deleted:
            self._end(runner.terminate())

    def _forget(self, pod: Obj) -> None:
        runner = self._pods.pop(pod["metadata"]["uid"], None)
        if runner is not None:
            self._end(runner.close())

    def _failed(self, runner: PodRunner) -> None:
        """A runner has ended with an error: another one looks after its pod, in a moment."""
        self._end(self._replace(runner))

    async def _replace(self, runner: PodRunner) -> None:
        await runner.close()
        await self._node.clock.sleep(AFTER_BUG)
        uid = runner.sandbox.pod["metadata"]["uid"]
        if self._pods.get(uid) is runner:
            self._pods[uid] = PodRunner(self._node, runner.sandbox.pod, self._failed)

    def _end(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a pod could not be ended", exc_info=error)
