"""Validation of volumes and their mounts.  Pure."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.embedded.admission.knative.problems import (
    Problem,
    disallowed,
    invalid,
    missing,
    neither,
    several,
)

Obj = dict[str, Any]
_SOURCES = ("configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret")
_DISABLED = {"hostPath": "HostPath", "csi": "CSI"}
_RESERVED_PATHS = frozenset(["/", "/dev", "/dev/log", "/tmp", "/var", "/var/log"])
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def check_volumes(volumes: Sequence[Obj], path: str) -> Iterator[Problem]:
    """Problems of the volumes of a pod."""
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        where, name = f"{path}[{index}]", volume.get("name", "")
        if not name:
            yield missing(f"{where}.name")
        elif not _LABEL.fullmatch(name) or len(name) > 63:
            yield invalid(name, f"{where}.name")
        elif name in seen:
            yield Problem(f'duplicate volume name "{name}"', (f"{where}.name",))
        seen.add(name)
        yield from _source(volume, where)


def _source(volume: Obj, path: str) -> Iterator[Problem]:
    disabled = [kind for kind in _DISABLED if kind in volume]
    for kind in disabled:
        word = _DISABLED[kind]
        message = f"{word} volume support is disabled, but found {word} volume {volume.get('name')}"
        yield Problem(message, ("",))
        yield disallowed(f"{path}.{kind}")
    found = [kind for kind in _SOURCES if volume.get(kind) is not None]
    if len(found) > 1:
        yield several(*(f"{path}.{kind}" for kind in found))
    elif not found and not disabled:
        yield neither(*(f"{path}.{kind}" for kind in ("configMap", "projected", "secret")))
    if "configMap" in found and not volume["configMap"].get("name"):
        yield missing(f"{path}.configMap.name")
    if "secret" in found and not volume["secret"].get("secretName"):
        yield missing(f"{path}.secret.secretName")


def check_mounts(container: Obj, volumes: Sequence[Obj], path: str) -> Iterator[Problem]:
    """Problems of the mounts of a container."""
    names = {volume.get("name") for volume in volumes}
    seen: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or []):
        where, place = f"{path}.volumeMounts[{index}]", mount.get("mountPath", "")
        if mount.get("name") not in names:
            yield Problem("volumeMount has no matching volume", (f"{where}.name",))
        clean = posixpath.normpath(place) if place else ""
        if not place:
            yield missing(f"{where}.mountPath")
        elif clean in _RESERVED_PATHS:
            yield Problem(f'mountPath "{clean}" is a reserved path', (f"{where}.mountPath",))
        elif not place.startswith("/"):
            yield invalid(place, f"{where}.mountPath")
        elif clean in seen:
            yield invalid(f'"{place}" must be unique', f"{where}.mountPath")
        seen.add(clean)
