"""A pod's volumes as folders of the host, and where its containers mount them."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from infra.embedded.kubelet.environment import ConfigError, Lookup, decoded, field

Obj = Mapping[str, Any]
Token = Callable[[Obj], str]  # the service account token of a pod
Files = dict[str, tuple[bytes, int]]  # relative path -> content and mode


class VolumeError(Exception):
    """A volume that cannot be set up; the message is the one of the FailedMount event."""


def set_up(pod: Obj, folder: Path, lookup: Lookup, token: Token) -> dict[str, Path]:
    """Write all volumes of a pod below a folder; returns name -> path.  Raises VolumeError."""
    paths: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        try:
            paths[name] = _one(volume, folder / name, pod, lookup, token)
        except ConfigError as error:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
    return paths


def refers(pod: Obj, kind: str, name: str) -> bool:
    """Whether a volume of the pod shows this ConfigMap or Secret."""
    key = {"ConfigMap": "configMap", "Secret": "secret"}[kind]
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            shown = source.get(key) or {}
            if name in (shown.get("name"), shown.get("secretName")):
                return True
    return False


def mounts(container: Obj, volumes: Mapping[str, Path]) -> tuple[tuple[str, str, bool], ...]:
    """(source, target, read-only) of a container's volumeMounts."""
    made: list[tuple[str, str, bool]] = []
    for mount in container.get("volumeMounts") or ():
        source = volumes[mount["name"]]
        if inner := mount.get("subPath"):
            source = source / inner
            if not source.exists():
                source.mkdir(parents=True)
        made.append((str(source), mount["mountPath"], bool(mount.get("readOnly"))))
    return tuple(made)


def _one(volume: Obj, path: Path, pod: Obj, lookup: Lookup, token: Token) -> Path:
    if "hostPath" in volume:
        return Path(volume["hostPath"]["path"])
    path.mkdir(parents=True, exist_ok=True)
    if "emptyDir" in volume or "ephemeral" in volume:
        path.chmod(0o777)
        return path
    sources = {"configMap", "secret", "downwardAPI"} & set(volume)
    if not sources and "projected" not in volume:
        kind = next((key for key in volume if key != "name"), "nothing")
        raise ConfigError(f"volumes of type {kind} are not served by this node")
    if "projected" in volume:
        entries = volume["projected"].get("sources") or ()
        mode = int(volume["projected"].get("defaultMode", 0o644))
    else:
        entries = [{key: volume[key] for key in sources}]
        mode = int(volume[next(iter(sources))].get("defaultMode", 0o644))
    for entry in entries:
        _write(path, _files(entry, mode, pod, lookup, token))
    return path


def _files(source: Obj, mode: int, pod: Obj, lookup: Lookup, token: Token) -> Files:
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items") or ()
        return {
            item["path"]: (field(pod, item["fieldRef"]["fieldPath"]).encode(), mode)
            for item in items
            if "fieldRef" in item
        }
    if "serviceAccountToken" in source:
        return {source["serviceAccountToken"]["path"]: (token(pod).encode(), mode)}
    for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if key in source:
            return _keys(kind, source[key], mode, lookup)
    return {}


def _keys(kind: str, source: Obj, mode: int, lookup: Lookup) -> Files:
    name = source.get("name") or source.get("secretName") or ""
    found = lookup(kind, name)
    if found is None:
        if source.get("optional"):
            return {}
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    content = decoded(found, kind)
    items: Iterable[Obj] = source.get("items") or [{"key": k, "path": k} for k in content]
    files: Files = {}
    for item in items:
        if item["key"] in content:
            files[item["path"]] = (content[item["key"]], int(item.get("mode", mode)))
        elif not source.get("optional"):
            raise ConfigError(f"references non-existent config key: {item['key']}")
    return files


def _write(folder: Path, files: Files) -> None:
    for relative, (content, mode) in files.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"..{path.name}.new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        new.chmod(mode)
        new.replace(path)  # a container that reads meanwhile sees the old or the new
