"""A container's view of the file system: the host's, with private parts and mounts laid over it.

The view is built in a mount namespace of its own on a tmpfs, so nothing is ever written to the
host, and it vanishes with the last process that lives in it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from infra.embedded.node import kernel

PRIVATE = ("run",)  # top-level folders that start empty in each container
_SKIPPED = ("lost+found",)
_NEVER_LAYERED = {*PRIVATE, "proc", "dev", "sys"}
_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host at an absolute path inside the container."""

    source: str
    target: str
    read_only: bool = False


def enter(base: Path, files: Mapping[str, str], mounts: Sequence[Mount]) -> None:
    """Make the view on the empty folder `base` and change root into it.

    `files` are written below /etc (name -> content).  The caller has left the shared mount
    namespace.  Raises OSError.
    """
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", str(base), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
    layered = {"etc", *(_top(mount.target) for mount in mounts)} - _NEVER_LAYERED
    for source in _ROOT.iterdir():
        if source.name not in _SKIPPED:
            own = files if source.name == "etc" else {}
            _provide(base, source, layered=source.name in layered, files=own)
    for mount in sorted(mounts, key=lambda mount: mount.target.count("/")):
        _bind(base, mount)
    os.chroot(base)
    os.chdir("/")


def _top(target: str) -> str:
    """The first component, after the links that hosts usually have (/var/run -> /run)."""
    real = Path(target).parent.resolve()
    return real.parts[1] if len(real.parts) > 1 else PurePosixPath(target).parts[1]


def _provide(base: Path, source: Path, *, layered: bool, files: Mapping[str, str]) -> None:
    """Show one entry of the host's root in the view."""
    target = base / source.name
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir()
        if source.name in PRIVATE:
            (target / "lock").mkdir()
        elif not layered or not _layer(base, source, target, files):
            kernel.mount(str(source), str(target), flags=kernel.MS_BIND | kernel.MS_REC)


def _layer(base: Path, source: Path, target: Path, files: Mapping[str, str]) -> bool:
    """Lay a writable layer that holds `files` over a folder of the host; False if refused."""
    upper, work = base / f".upper-{source.name}", base / f".work-{source.name}"
    upper.mkdir()
    work.mkdir()
    for name, content in files.items():
        (upper / name).write_text(content, encoding="utf-8")
    options = f"lowerdir={source},upperdir={upper},workdir={work}"
    try:
        kernel.mount("overlay", str(target), "overlay", data=options)
    except OSError:
        return False
    return True


def _bind(base: Path, mount: Mount) -> None:
    target = base / _inside(base, PurePosixPath(mount.target))
    if Path(mount.source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    kernel.mount(mount.source, str(target), flags=kernel.MS_BIND | kernel.MS_REC)
    if mount.read_only:
        flags = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY
        kernel.mount("none", str(target), flags=flags)


def _inside(base: Path, path: PurePosixPath) -> PurePosixPath:
    """The path, relative to `base`, with links resolved inside the view (absolute ones too)."""
    resolved = PurePosixPath()
    for part in os.path.normpath(path).strip("/").split("/"):
        here = resolved / part
        if (base / here).is_symlink():
            here = _inside(base, PurePosixPath("/", resolved, (base / here).readlink()))
        resolved = here
    return resolved
