"""Objects of a namespace as they change, seen through `kubectl get --watch`."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from tests.embedded.conformance.histories import Step, steps
from tests.support.cluster import KUBECTL, Cluster

AUTOSCALERS = "podautoscalers.autoscaling.internal.knative.dev"
DEPLOYMENTS = "deployments.apps"
PODS = "pods"


@dataclass(frozen=True, slots=True)
class Seen:
    """An object in the state that a watch showed at a real time (monotonic seconds)."""

    at: float
    event: str
    resource: str
    obj: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])


@dataclass(slots=True)
class Watch:
    """What has been seen so far, by any of the watches."""

    seen: list[Seen] = field(default_factory=list)

    def history(
        self,
        resource: str,
        prefix: str,
        value: Callable[[Seen], object],
        *,
        begin: float,
        scale: float,
    ) -> tuple[Step, ...]:
        """A value of the objects of that name, in seconds of the cluster after `begin`."""
        return steps(
            ((seen.at - begin) * scale, value(seen))
            for seen in list(self.seen)
            if seen.resource == resource and seen.name.startswith(prefix)
        )


@contextmanager
def watching(cluster: Cluster, namespace: str, *resources: str) -> Iterator[Watch]:
    """Watch resources of a namespace until the end of the block."""
    watch = Watch()
    processes = [_start(cluster, namespace, resource) for resource in resources]
    readers = [
        threading.Thread(target=_read, args=(process.stdout, resource, watch), daemon=True)
        for process, resource in zip(processes, resources, strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        yield watch
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        for reader in readers:
            reader.join()


def _start(cluster: Cluster, namespace: str, resource: str) -> subprocess.Popen[str]:
    options = ["--watch", "--output-watch-events", "-o", "json"]
    return subprocess.Popen(
        [str(KUBECTL), "get", resource, "-n", namespace, *options],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _read(output: IO[str], resource: str, watch: Watch) -> None:
    """Collect events, of which each is a line."""
    for line in output:
        try:
            event = json.loads(line)
            watch.seen.append(Seen(time.monotonic(), event["type"], resource, event["object"]))
        except (ValueError, LookupError):
            continue  # cut off by the end of the watch


def desired_scale(seen: Seen) -> int | None:
    """The scale that a PodAutoscaler wants."""
    scale = seen.obj.get("status", {}).get("desiredScale")
    return int(scale) if seen.resource == AUTOSCALERS and scale is not None else None


def active_status(seen: Seen) -> str | None:
    """The status and reason of the condition Active."""
    for condition in seen.obj.get("status", {}).get("conditions") or ():
        if condition["type"] == "Active":
            return " ".join(filter(None, (condition["status"], condition.get("reason", ""))))
    return None
