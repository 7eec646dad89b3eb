"""Defaults that Knative's webhook writes into an object.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]

CREATOR = "serving.knative.dev/creator"
LAST_MODIFIER = "serving.knative.dev/lastModifier"
_READ_ONLY_VOLUMES = ("configMap", "secret", "projected")
_RESOURCES = {
    "revision-cpu-request": ("requests", "cpu"),
    "revision-memory-request": ("requests", "memory"),
    "revision-ephemeral-storage-request": ("requests", "ephemeral-storage"),
    "revision-cpu-limit": ("limits", "cpu"),
    "revision-memory-limit": ("limits", "memory"),
    "revision-ephemeral-storage-limit": ("limits", "ephemeral-storage"),
}


@dataclass(frozen=True, slots=True)
class Defaults:
    """ConfigMap config-defaults."""

    timeout: int = 300
    max_timeout: int = 600
    concurrency: int = 0
    max_concurrency: int = 1000
    service_links: bool | None = False
    container_name: str = "user-container"
    resources: tuple[tuple[str, str, str], ...] = ()  # section, resource, quantity

    @classmethod
    def parse(cls, data: Mapping[str, str]) -> "Defaults":
        """Values that cannot be read count as absent."""
        links = {"true": True, "default": None}.get(data.get("enable-service-links", ""), False)
        resources = tuple((*_RESOURCES[key], data[key]) for key in _RESOURCES if data.get(key))
        return cls(
            timeout=_number(data, "revision-timeout-seconds", 300),
            max_timeout=_number(data, "max-revision-timeout-seconds", 600),
            concurrency=_number(data, "container-concurrency", 0),
            max_concurrency=_number(data, "container-concurrency-max-limit", 1000),
            service_links=links,
            container_name=data.get("container-name-template", "user-container"),
            resources=resources,
        )


def _number(data: Mapping[str, str], key: str, default: int) -> int:
    text = data.get(key, "")
    return int(text) if text.isdigit() else default


def default_template(obj: Obj, old: Obj | None, defaults: Defaults) -> None:
    """Defaults of `spec.template`; none when an update keeps the revision's own name.

    Knative takes an unchanged name for an unchanged revision, so a minimal manifest with a name
    of its own cannot be applied twice.  That is how it is.
    """
    template = _object(_object(obj, "spec"), "template")
    name = _object(template, "metadata").get("name")
    template["metadata"].setdefault("creationTimestamp", None)
    was = ((((old or {}).get("spec") or {}).get("template") or {}).get("metadata") or {}).get(
        "name"
    )
    spec = _object(template, "spec")
    if not name or name != was:
        default_revision(spec, defaults)


def default_revision(spec: Obj, defaults: Defaults) -> None:
    """Defaults of a RevisionSpec, in place."""
    if not spec.get("timeoutSeconds"):
        spec["timeoutSeconds"] = defaults.timeout
    spec.setdefault("containerConcurrency", defaults.concurrency)
    if defaults.service_links is not None:
        spec.setdefault("enableServiceLinks", defaults.service_links)
    volumes = {volume.get("name"): volume for volume in spec.get("volumes") or []}
    containers = spec.get("containers") or []
    for index, container in enumerate(containers):
        serving = len(containers) == 1 or bool(container.get("ports"))
        _default_container(container, index, serving, volumes, defaults)


def _default_container(
    container: Obj, index: int, serving: bool, volumes: Mapping[Any, Obj], defaults: Defaults
) -> None:
    if not container.get("name"):
        plain = defaults.container_name
        container["name"] = plain if serving else f"{plain}-{index}"
    resources = container.setdefault("resources", {})
    for section, resource, quantity in defaults.resources:
        resources.setdefault(section, {}).setdefault(resource, quantity)
    if serving:
        _default_readiness(container)
    for mount in container.get("volumeMounts") or []:
        volume = volumes.get(mount.get("name"), {})
        if any(kind in volume for kind in _READ_ONLY_VOLUMES):
            mount["readOnly"] = True
    for port in container.get("ports") or []:
        if not port.get("protocol"):
            port["protocol"] = "TCP"


def _default_readiness(container: Obj) -> None:
    probe = container.get("readinessProbe") or {}
    if not any(kind in probe for kind in ("tcpSocket", "httpGet", "exec", "grpc")):
        probe["tcpSocket"] = {"port": 0}
    for action in ("tcpSocket", "httpGet"):
        if action in probe and isinstance(probe[action], dict):
            probe[action].setdefault("port", 0)
    if not probe.get("successThreshold"):
        probe["successThreshold"] = 1
    if probe.get("periodSeconds"):
        probe["failureThreshold"] = probe.get("failureThreshold") or 3
        probe["timeoutSeconds"] = probe.get("timeoutSeconds") or 1
    container["readinessProbe"] = probe


def default_traffic(obj: Obj, *, latest: bool) -> None:
    """Defaults of `spec.traffic`; `latest` gives an empty list the newest revision."""
    spec = _object(obj, "spec")
    if latest and not spec.get("traffic"):
        spec["traffic"] = [{"latestRevision": True, "percent": 100}]
    for target in spec.get("traffic") or []:
        target.setdefault("latestRevision", not target.get("revisionName"))
        if target.get("percent") is None:
            target["percent"] = 0


def sign(obj: Obj, old: Obj | None, user: str) -> None:
    """Note who created the object and who changed its spec last."""
    meta = obj["metadata"]
    if old is None:
        meta["annotations"] = {**(meta.get("annotations") or {}), CREATOR: user,
                               LAST_MODIFIER: user}  # fmt: skip
    elif obj.get("spec") != old.get("spec"):
        meta["annotations"] = {**(meta.get("annotations") or {}), LAST_MODIFIER: user}


def _object(parent: Obj, key: str) -> Obj:
    child = parent.get(key)
    if not isinstance(child, dict):
        child = parent[key] = {}
    return child
