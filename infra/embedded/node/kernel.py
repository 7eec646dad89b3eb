"""Linux system calls that the standard library lacks: namespaces, mounts, parent-death signal."""

import ctypes
import errno
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the shared namespaces named by CLONE_NEW* flags for new ones; raises OSError."""
    _call("unshare", flags)


def setns(fd: int, kind: int = 0) -> None:
    """Join the namespace behind a file descriptor; raises OSError."""
    _call("setns", fd, kind)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2); raises OSError that names the target."""
    try:
        _call(
            "mount",
            source.encode(),
            target.encode(),
            kind.encode() or None,
            ctypes.c_ulong(flags),
            data.encode() or None,
        )
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}") from None


def sethostname(name: str) -> None:
    """Set the host name of the current UTS namespace."""
    raw = name.encode()[:63]
    _call("sethostname", raw, ctypes.c_size_t(len(raw)))


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    _call("prctl", _PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
