"""A container's view of the file system: the host's, with private parts and mounts laid over it.

The view is built in a mount namespace of its own on a tmpfs, so nothing is ever written to the
host, and it vanishes with the last process that lives in it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.embedded.node import kernel

PRIVATE = ("run",)  # top-level folders that start empty in each container
_SKIPPED = ("lost+found",)


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host at an absolute path inside the container."""

    source: str
    target: str
    read_only: bool = False


def enter(base: str, files: Mapping[str, str], mounts: Sequence[Mount]) -> None:
    """Make the view on the empty folder `base` and change root into it.

    `files` are written below /etc (name -> content).  The caller has left the shared mount
    namespace.  Raises OSError.
    """
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", base, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    layered = {"etc", *(_top(mount.target) for mount in mounts)} - {*PRIVATE, "proc", "dev", "sys"}
    for name in os.listdir("/"):
        if name not in _SKIPPED:
            _provide(base, name, layered=name in layered, files=files if name == "etc" else {})
    for mount in sorted(mounts, key=lambda mount: mount.target.count("/")):
        _bind(base, mount)
    os.chroot(base)
    os.chdir("/")


def _top(path: str) -> str:
    """The first component, after the links that hosts usually have (/var/run -> /run)."""
    real = os.path.realpath(os.path.dirname(path.rstrip("/")) or "/")
    top = real.strip("/").split("/")[0]
    return top or path.strip("/").split("/")[0]


def _provide(base: str, name: str, *, layered: bool, files: Mapping[str, str]) -> None:
    source, target = f"/{name}", f"{base}/{name}"
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif not os.path.isdir(source):
        return
    elif name in PRIVATE:
        os.mkdir(target)
        os.mkdir(f"{target}/lock")
    else:
        os.mkdir(target)
        if not layered or not _layer(base, name, files):
            kernel.mount(source, target, flags=kernel.MS_BIND | kernel.MS_REC)


def _layer(base: str, name: str, files: Mapping[str, str]) -> bool:
    """Lay a writable layer that holds `files` over a folder of the host; False if refused."""
    upper, work = f"{base}/.upper-{name}", f"{base}/.work-{name}"
    os.mkdir(upper)
    os.mkdir(work)
    for file, content in files.items():
        with open(f"{upper}/{file}", "w", encoding="utf-8") as stream:
            stream.write(content)
    options = f"lowerdir=/{name},upperdir={upper},workdir={work}"
    try:
        kernel.mount("overlay", f"{base}/{name}", "overlay", data=options)
    except OSError:
        return False
    return True


def _bind(base: str, mount: Mount) -> None:
    target = base + _inside(base, mount.target)
    if os.path.isdir(mount.source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            with open(target, "x", encoding="utf-8"):
                pass
    kernel.mount(mount.source, target, flags=kernel.MS_BIND | kernel.MS_REC)
    if mount.read_only:
        flags = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY
        kernel.mount("none", target, flags=flags)


def _inside(base: str, path: str) -> str:
    """The path with the links of the view resolved inside the view (its absolute links too)."""
    resolved = ""
    for part in _parts(path):
        here = f"{resolved}/{part}"
        if os.path.islink(base + here):
            link = os.readlink(base + here)
            here = _inside(base, link if link.startswith("/") else f"{resolved}/{link}")
        resolved = here
    return resolved


def _parts(path: str) -> Iterable[str]:
    return (part for part in os.path.normpath(path).split("/") if part)
