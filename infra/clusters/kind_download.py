"""kind from its project's releases: one pinned version, run only with its pinned checksum."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infra.clusters.errors import ToolMissing
from infra.clusters.state import write_bytes_atomically
from infra.knative.catalogue import Download, load_catalogue
from infra.knative.digests import DigestMismatch, sha256, sha256_file
from infra.knative.manifests import cache_home, download

_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def this_platform() -> str:
    """This machine as kind's releases call it, for example `linux-amd64`."""
    machine = platform.machine().lower()
    return f"{sys.platform}-{_MACHINES.get(machine, machine)}"


def downloaded_kind(
    *,
    pinned: Download | None = None,
    place: str | None = None,
    cache: Path | None = None,
    fetch: Callable[[str], bytes] = download,
) -> Path:
    """The pinned kind for a platform (default: this one), downloaded unless it is there.

    Errors:
        ToolMissing: no checksum is pinned for this platform.
        DigestMismatch: what was downloaded (or is there) is not what is pinned; it is not run.
        ClusterError: it cannot be downloaded.
    """
    wanted = pinned or load_catalogue().kind_download
    name = place or this_platform()
    expected = wanted.sha256.get(name)
    if expected is None:
        raise ToolMissing(
            f"no kind is pinned for {name}, and nothing is run without a checksum",
            mend="install kind and name it: --kind-bin PATH (or KIND_BIN)",
        )
    program = (cache or cache_home()).parent / "kind" / wanted.version / f"kind-{name}"
    if not program.exists():
        url = wanted.url.format(version=wanted.version, platform=name)
        content = fetch(url)
        _require(sha256(content), expected, url)
        write_bytes_atomically(program, content, mode=0o755)
    _require(sha256_file(program), expected, str(program))
    return program


def _require(actual: str, expected: str, what: str) -> None:
    if actual != expected:
        raise DigestMismatch(
            f"{what} is not the kind that is pinned: sha256 {actual}, not {expected}",
            mend="remove what is there and try again; if it happens again, somebody changed it",
        )
