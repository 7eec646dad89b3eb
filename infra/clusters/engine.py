"""The container engine that kind needs: does it answer?"""

from __future__ import annotations

import shutil
from typing import Final

from infra.clusters.command import last_words, run_command
from infra.clusters.errors import EngineUnavailable

ENGINE: Final = "docker"
_TIMEOUT: Final = 5.0
_MEND: Final = "start it (sudo systemctl start docker), or run without it: --vpm-cluster=embedded"
_DENIED: Final = (
    "let this user speak to it (sudo usermod -aG docker $USER, then log in again), "
    "or run without it: --vpm-cluster=embedded"
)


def require_engine() -> str:
    """The engine's name and version.

    Errors:
        EngineUnavailable: there is no client, or no engine answers it.
    """
    client = shutil.which(ENGINE)
    if client is None:
        raise EngineUnavailable(
            "no Docker engine: there is no program docker on PATH",
            mend="install Docker, or run without it: --vpm-cluster=embedded",
        )
    result = run_command([client, "info", "--format", "{{.ServerVersion}}"], timeout=_TIMEOUT)
    version, _, more = result.stdout.strip().partition("\n")
    # An old client prints an empty version and exits 0 when no engine answers.
    if result.exit_code != 0 or not version or more or not version.isprintable():
        denied = "permission denied" in result.stderr.lower()
        raise EngineUnavailable(
            f"no Docker engine answers: {last_words(result)}", mend=_DENIED if denied else _MEND
        )
    return f"Docker {version}"
