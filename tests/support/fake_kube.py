"""An API server's answers from memory: a fake on the port `KubeClient`."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.ports import JsonObject, ResourceKind
from infra.clusters.resources import ACCESS_REVIEW, NAMESPACE, NODE
from infra.kube import ApiError

Obj = dict[str, Any]
_Key = tuple[str, str, str, str]


class FakeKube:
    """Objects by kind, namespace and name. `calls` lists every write, in order."""

    def __init__(self, *objects: tuple[ResourceKind, Obj], version: str = "1.33.13") -> None:
        self.version = version
        self.objects: dict[_Key, Obj] = {}
        self.calls: list[tuple[str, str]] = []
        self.allowed = True
        self.hidden: set[str] = set()
        self.log_lines: dict[tuple[str, str, str], list[str]] = {}
        self.on_write: Callable[[str, str], None] = lambda _verb, _name: None
        for kind, obj in objects:
            self.put(kind, obj)

    def put(self, kind: ResourceKind, obj: Obj) -> Obj:
        """Store an object as the cluster itself would: not a call of the product."""
        stored = copy.deepcopy(obj)
        metadata = stored.setdefault("metadata", {})
        metadata.setdefault("uid", str(uuid.uuid4()))
        key = (kind.group, kind.plural, metadata.get("namespace", ""), metadata.get("name", ""))
        self.objects[key] = stored
        return stored

    def get(self, kind: ResourceKind, namespace: str, name: str) -> JsonObject | None:
        return copy.deepcopy(self.objects.get((kind.group, kind.plural, namespace, name)))

    def list(
        self, kind: ResourceKind, namespace: str | None = None, *, selector: str = ""
    ) -> Sequence[JsonObject]:
        wanted = dict(part.split("=", 1) for part in selector.split(",") if part)
        return [
            copy.deepcopy(obj)
            for (group, plural, place, _), obj in sorted(self.objects.items())
            if (group, plural) == (kind.group, kind.plural)
            and namespace in (None, place)
            and wanted.items() <= obj["metadata"].get("labels", {}).items()
        ]

    def create(self, kind: ResourceKind, namespace: str, body: JsonObject) -> JsonObject:
        if kind == ACCESS_REVIEW:  # A question, which nothing is stored of.
            return {**body, "status": {"allowed": self.allowed}}
        obj = copy.deepcopy(dict(body))
        if kind.namespaced:
            obj["metadata"]["namespace"] = namespace
        stored = self.put(kind, obj)
        self._wrote("create", kind, stored["metadata"].get("name", ""))
        return stored

    def patch(self, kind: ResourceKind, namespace: str, name: str, body: JsonObject) -> JsonObject:
        stored = self.objects[kind.group, kind.plural, namespace, name]
        _merge(stored, body)
        self._wrote("patch", kind, name)
        return copy.deepcopy(stored)

    def delete(self, kind: ResourceKind, namespace: str, name: str, *, uid: str = "") -> None:
        assert (
            not uid
            or self.objects[kind.group, kind.plural, namespace, name]["metadata"]["uid"] == uid
        )
        self.objects.pop((kind.group, kind.plural, namespace, name), None)
        self._wrote("delete", kind, name)

    def watch(
        self, kind: ResourceKind, namespace: str, name: str, *, timeout: float
    ) -> Iterator[JsonObject]:
        assert timeout > 0
        found = self.get(kind, namespace, name)
        return iter([found] if found else [])

    def logs(self, namespace: str, pod: str, *, container: str = "", tail: int = 200) -> str:
        return "\n".join(self.log_lines.get((namespace, pod, container), [])[-tail:])

    def serves(self, kind: ResourceKind) -> bool:
        return kind.group not in self.hidden

    def server_version(self) -> str:
        return self.version

    def _wrote(self, verb: str, kind: ResourceKind, name: str) -> None:
        self.calls.append((verb, f"{kind.kind}/{name}"))
        self.on_write(verb, f"{kind.kind}/{name}")


def _merge(target: Obj, patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = copy.deepcopy(value)


def namespace(name: str, **labels: str) -> tuple[ResourceKind, Obj]:
    """A namespace with labels."""
    return NAMESPACE, {"metadata": {"name": name, "labels": labels}}


def named(
    kind: ResourceKind,
    place: str,
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    **rest: Any,
) -> tuple[ResourceKind, Obj]:
    """An object of a kind."""
    metadata = {"name": name, "namespace": place, "labels": dict(labels or {})}
    return kind, {"metadata": metadata, **rest}


class WithoutNodes(FakeKube):
    """A cluster that shows its nodes to administrators only."""

    def list(
        self, kind: ResourceKind, namespace: str | None = None, *, selector: str = ""
    ) -> Sequence[JsonObject]:
        if kind == NODE:
            raise ApiError("nodes is forbidden", status=403)
        return super().list(kind, namespace, selector=selector)
