"""Which driver runs a scenario, and why: the words go into pytest's header and the evidence."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harness.core.errors import ClusterError, UsageError
from harness.ports import ClusterDriver
from infra.clusters.command import find_program
from infra.clusters.embedded import EmbeddedDriver
from infra.clusters.engine import require_engine
from infra.clusters.errors import ToolMissing
from infra.clusters.existing import ExistingDriver
from infra.clusters.images import Docker
from infra.clusters.kind import KindDriver
from infra.clusters.kind_cli import Kind
from infra.clusters.kind_download import downloaded_kind
from infra.knative.install import Installer

PROVIDERS: Final = ("auto", "embedded", "kind", "existing")

Progress = Callable[[str], None]


def choose(
    provider: str,
    *,
    progress: Progress = lambda _line: None,
    home: Path | None = None,
    kind_bin: str | None = None,
    kind_download: bool = False,
    installer: Installer | None = None,
) -> tuple[ClusterDriver, str]:
    """The driver for a provider's name, and why it is this one.

    `auto` is kind where a container engine and kind answer, else the embedded cluster.
    `installer` is needed by those who may have to install Knative. With `kind_download` the
    pinned kind is downloaded where none is installed.

    Errors:
        UsageError: no such provider.
        ClusterError: the embedded cluster was asked for (or is all that is left) off Linux.
        EngineUnavailable, ToolMissing: kind was asked for and cannot run here.
    """
    if provider == "auto":
        provider, why = _automatic(kind_bin, kind_download)
    elif provider in PROVIDERS:
        why = f"--vpm-cluster={provider} asks for it"
    else:
        raise UsageError(
            f"there is no cluster provider {provider!r}", mend=f"there are: {', '.join(PROVIDERS)}"
        )
    if provider == "existing":
        return ExistingDriver(progress=progress, chosen_because=why, installer=installer), why
    if provider == "kind":
        require_engine()
        kind = find_kind(kind_bin, download=kind_download)
        driver = KindDriver(
            kind=kind,
            progress=progress,
            chosen_because=why,
            home=home,
            installer=installer,
            docker=Docker.on_path(),
        )
        return driver, why
    if not sys.platform.startswith("linux"):
        raise ClusterError(
            f"the embedded cluster needs Linux, and this is {sys.platform} ({why})",
            mend="start a Docker engine and install kind, or use --vpm-cluster=existing",
        )
    return EmbeddedDriver(progress=progress, chosen_because=why, home=home), why


def find_kind(given: str | None, *, download: bool = False) -> Path:
    """The kind to use: the given one, KIND_BIN's, one on PATH, or the pinned download if allowed.

    Errors:
        ToolMissing: there is none, and none may be downloaded.
        DigestMismatch, ClusterError: it cannot be downloaded as it is pinned.
    """
    try:
        return find_program("kind", given=given, variable="KIND_BIN")
    except ToolMissing:
        if given or os.environ.get("KIND_BIN") or not download:
            raise
        return downloaded_kind()


def _automatic(kind_bin: str | None, kind_download: bool) -> tuple[str, str]:
    try:
        engine = require_engine()
        kind = find_kind(kind_bin, download=kind_download)
        version = Kind(kind).version()
    except ClusterError as error:
        return "embedded", f"kind cannot run here: {error.message}"
    return "kind", f"{engine} and {version} answer"
