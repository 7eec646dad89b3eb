"""Which kubeconfig file holds a context. The files are the user's: they are only read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import yaml

from harness.core.errors import ClusterError, UsageError
from infra.clusters.command import find_program, last_words, run_command
from infra.clusters.errors import WrongContext
from infra.clusters.state import write_atomically

_JOIN_TIMEOUT: Final = 30.0
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
    return tuple(_entries(file, "contexts"))


@contextmanager
def whole(pinned: PinnedContext, files: Sequence[Path]) -> Iterator[PinnedContext]:
    """The context with its cluster and user in one file, for the time of a with block.

    That is the user's own file, unless another one of `files` holds the cluster or the user:
    then kubectl joins them, into a private copy.

    Errors:
        ClusterError: the files cannot be read or joined.
    """
    context = _entries(pinned.kubeconfig, "contexts")[pinned.context].get("context")
    named = context if isinstance(context, dict) else {}
    parts = [("clusters", named.get("cluster")), ("users", named.get("user"))]
    if len(files) < 2 or all(
        not name or name in _entries(pinned.kubeconfig, list_) for list_, name in parts
    ):
        yield pinned
        return
    with TemporaryDirectory(prefix="vpm-kubeconfig-") as folder:
        joined = Path(folder) / "config"
        write_atomically(joined, _join(pinned.context, files))
        yield PinnedContext(joined, pinned.context)


def _join(context: str, files: Sequence[Path]) -> str:
    argv = [str(find_program("kubectl")), "config", "view", f"--context={context}"]
    listed = os.pathsep.join(map(str, files))
    result = run_command(
        [*argv, "--raw", "--minify", "--flatten"],
        timeout=_JOIN_TIMEOUT,
        environment={"KUBECONFIG": listed},
    )
    if result.exit_code != 0:
        raise ClusterError(
            f"the files of KUBECONFIG cannot be joined: {last_words(result)}",
            mend=f"KUBECONFIG={listed} kubectl config view --context={context} --minify --flatten",
        )
    return result.stdout


def _entries(file: Path, kind: str) -> Mapping[str, Mapping[str, object]]:
    """The named entries of one of a kubeconfig's lists; none when there is no such file."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClusterError(
            f"{file} cannot be read as a kubeconfig: {error}",
            mend=f"kubectl config view --kubeconfig {file}",
        ) from error
    found = content.get(kind) if isinstance(content, dict) else None
    entries = found if isinstance(found, list) else ()
    return {
        str(entry["name"]): entry
        for entry in entries
        if isinstance(entry, dict) and "name" in entry
    }


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
