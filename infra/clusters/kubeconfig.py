"""Which kubeconfig file holds a context. The files are the user's: they are only read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import yaml

from harness.core.errors import ClusterError, UsageError
from infra.clusters.errors import WrongContext

_ALLOW: Final = (
    "name an allowed context; or add {context} to cluster.contexts of the scenario and to contexts "
    "of codex/policy.yaml, and approve its contracts for it: vpm runner approve FILE... "
    "--context {context} --by NAME --key FILE --embed (docs/clusters.md)"
)


@dataclass(frozen=True, slots=True)
class PinnedContext:
    """One context of one file."""

    kubeconfig: Path
    context: str


def kubeconfig_files() -> tuple[Path, ...]:
    """The files kubectl would read: those of KUBECONFIG, else ~/.kube/config."""
    listed = os.environ.get("KUBECONFIG", "")
    files = tuple(Path(part) for part in listed.split(os.pathsep) if part)
    return files or (Path.home() / ".kube" / "config",)


def contexts_of(file: Path) -> tuple[str, ...]:
    """The names of the contexts in a file; none when there is no such file.

    Errors:
        ClusterError: the file cannot be read or is not a kubeconfig.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClusterError(
            f"{file} cannot be read as a kubeconfig: {error}",
            mend=f"kubectl config view --kubeconfig {file}",
        ) from error
    contexts = content.get("contexts") if isinstance(content, dict) else None
    entries = contexts if isinstance(contexts, list) else ()
    return tuple(
        str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry
    )


def pin(
    context: str | None, *, allowed: Sequence[str] = (), files: Sequence[Path] | None = None
) -> PinnedContext:
    """The file that holds the context; never a current-context, which another shell may change.

    `allowed` holds names or shell patterns; empty allows every context.

    Errors:
        UsageError: no context was named.
        WrongContext: it is not allowed here, or in none of the files.
    """
    if not context:
        raise UsageError(
            "an existing cluster needs a context by name",
            mend="--vpm-context NAME (vpm run: --context NAME); `kubectl config get-contexts` "
            "lists them",
        )
    if allowed and not any(fnmatchcase(context, pattern) for pattern in allowed):
        raise WrongContext(
            f"context {context!r} is not allowed here, only {', '.join(allowed)}",
            mend=_ALLOW.format(context=context),
        )
    known: list[str] = []
    for file in files or kubeconfig_files():
        names = contexts_of(file)
        if context in names:
            return PinnedContext(file, context)
        known.extend(names)
    raise WrongContext(
        f"there is no context {context!r}; there are: {', '.join(known) or 'none'}",
        mend="name one of these, or set KUBECONFIG to the file that holds it",
    )
