"""Revisions as backends: their limits, and the pods that answer for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.embedded.kinds import REVISION, SKS
from infra.embedded.kubelet.services import app_port
from infra.embedded.store import Event, Store

Obj = Mapping[str, Any]

REVISION_LABEL = "serving.knative.dev/revision"
DEFAULT_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a revision says about its requests; seconds, 0 means no limit."""

    concurrency: int = 0
    timeout: float = DEFAULT_TIMEOUT  # until the first byte of the answer
    idle: float = 0.0
    http2: bool = False
    activator: bool = True  # the activator stands in the path (the revision's SKS is in Proxy)

    @property
    def one_by_one(self) -> bool:
        """Whether each request passes the activator on a connection of its own.

        It counts them there, or watches how long an answer pauses.
        """
        return bool(self.concurrency or self.paused)

    @property
    def paused(self) -> float:
        """The idle timeout that the activator enforces; HTTP/2 streams are Envoy's to end."""
        return 0.0 if self.http2 else self.idle


class LimitsReader:
    """Reads the limits of revisions; those whose objects are the same as before are not parsed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[Obj | None, Obj | None, Limits]] = {}

    def all(self, names: Iterable[str]) -> dict[str, Limits]:
        """The limits of revisions (`namespace/name`), by name."""
        before, self._known = self._known, {}
        for name in sorted(names):
            revision = self._store.find(REVISION, *name.split("/"))
            sks = self._store.find(SKS, *name.split("/"))
            old = before.get(name)
            # A changed object is another object, so identity tells.
            same = old is not None and old[0] is revision and old[1] is sks
            found = old[2] if old is not None and same else limits(revision, sks)
            self._known[name] = revision, sks, found
        return {name: known[2] for name, known in self._known.items()}


def limits(revision: Obj | None, sks: Obj | None) -> Limits:
    """The limits of a revision and its ServerlessService; defaults where there is none."""
    if revision is None:
        return Limits()
    spec = revision["spec"]
    timeout = float(spec.get("timeoutSeconds") or DEFAULT_TIMEOUT)
    start = float(spec.get("responseStartTimeoutSeconds") or 0)
    return Limits(
        concurrency=int(spec.get("containerConcurrency") or 0),
        timeout=min(timeout, start) if start else timeout,
        idle=float(spec.get("idleTimeoutSeconds") or 0),
        http2=_speaks_http2(spec.get("containers") or ()),
        activator=sks is None or sks["spec"].get("mode") != "Serve",
    )


def _speaks_http2(containers: Iterable[Obj]) -> bool:
    return any(
        port.get("name") == "h2c"
        for container in containers
        for port in container.get("ports") or ()
    )


class ReadyPods:
    """The pods that take requests now, by revision (`namespace/name`)."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, tuple[str, int]]] = {}

    def of(self, revision: str) -> list[tuple[str, int]]:
        """Address and app port of each ready pod."""
        return list(self._pods.get(revision, {}).values())

    def update(self, event: Event) -> str | None:
        """Take a change of a pod; returns the revision whose ready pods it changed."""
        meta = event.obj["metadata"]
        name = (meta.get("labels") or {}).get(REVISION_LABEL)
        if name is None:
            return None
        revision = f"{meta['namespace']}/{name}"
        pods = self._pods.setdefault(revision, {})
        before = pods.pop(meta["name"], None)
        now = None
        if event.type != "DELETED" and is_ready(event.obj):
            now = pods[meta["name"]] = (event.obj["status"]["podIP"], app_port(event.obj))
        if not pods:
            del self._pods[revision]
        return revision if before != now else None


def is_ready(pod: Obj) -> bool:
    """Whether a pod takes requests now."""
    status = pod.get("status") or {}
    if not status.get("podIP") or "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = status.get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
