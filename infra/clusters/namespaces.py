"""The namespaces of a scenario: made when they are missing, and only those are removed again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

from harness.core.errors import ClusterError
from harness.ports import Clock, JsonObject, KubeClient, ResourceKind
from harness.timing.wait import until
from infra.clusters.identity import cluster_uid
from infra.clusters.owner import OWNER_LABEL
from infra.clusters.resources import NAMESPACE, dig, label_of
from infra.clusters.state import ClusterFolder, state_home, write_atomically

_RECORD: Final = "namespace.json"
_TIMEOUT: Final = 120.0


class NamespaceApi(KubeClient, Protocol):
    """A KubeClient whose deletions can be bound to one object's UID."""

    def delete(self, kind: ResourceKind, namespace: str, name: str, *, uid: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class MadeNamespace:
    """A namespace that a run made: it is recognised by both, or not at all."""

    name: str
    uid: str
    owner: str


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Makes and removes the namespaces of one scenario on one cluster."""

    api: NamespaceApi
    clock: Clock
    progress: Callable[[str], None] = lambda _line: None
    home: Path | None = None

    @contextmanager
    def provided(self, names: Sequence[str], *, keep: str) -> Iterator[None]:
        """Have the namespaces for the time of a with block.

        One that was there before is used and stays, unless an earlier run of ours made it and
        was cut off. Those that this block made go when it ends, or stay as `keep` says (never,
        on-failure, always).

        Errors:
            ClusterError: one cannot be made, or is not the one any more that was made.
        """
        with ExitStack() as stack:
            uid = cluster_uid(self.api) if names else ""
            for name in names:
                folder = ClusterFolder((self.home or state_home()) / "namespaces" / uid / name)
                # A run that does not get the lock shares the namespace and leaves it alone.
                if stack.enter_context(folder.locked()) and (made := self._make(folder, name)):
                    stack.push(_Removal(self, folder, made, keep))
            yield

    def remove(self, folder: ClusterFolder, made: MadeNamespace) -> None:
        """Delete a namespace if it is still the one that was made.

        Errors:
            ClusterError: it carries another label or UID by now.
        """
        living = self.api.get(NAMESPACE, "", made.name)
        if living is not None:
            seen = (dig(living, "metadata", "uid"), label_of(living, OWNER_LABEL))
            if seen != (made.uid, made.owner):
                raise ClusterError(
                    f"namespace {made.name} is not removed: it has UID {seen[0]} and label "
                    f"{OWNER_LABEL}={seen[1] or '(none)'}, and the run made {made.uid} with "
                    f"{made.owner}",
                    mend=f"look at it; if nobody needs it: kubectl delete namespace {made.name}",
                )
            self.progress(f"removing namespace {made.name}")
            self.api.delete(NAMESPACE, "", made.name, uid=made.uid)
        (folder.path / _RECORD).unlink(missing_ok=True)

    def _make(self, folder: ClusterFolder, name: str) -> MadeNamespace | None:
        """The namespace that this run has to remove later; None for one that is not ours."""
        living = self._settled(name)
        if living is not None:
            return _left(folder.path / _RECORD, living)
        owner = secrets.token_hex(8)
        labels = {OWNER_LABEL: owner, "app.kubernetes.io/managed-by": "vpm-harness"}
        body = {"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": name, "labels": labels}}  # fmt: skip
        self.progress(f"making namespace {name}")
        created = self.api.create(NAMESPACE, "", body)
        made = MadeNamespace(name, str(dig(created, "metadata", "uid")), owner)
        write_atomically(folder.path / _RECORD, json.dumps(asdict(made), indent=2) + "\n")
        return made

    def _settled(self, name: str) -> JsonObject | None:
        """The namespace, or None; one that is being deleted is waited for."""
        return until(
            lambda: self.api.get(NAMESPACE, "", name),
            lambda found: not dig(found, "metadata", "deletionTimestamp"),
            what=f"namespace {name} is gone",
            timeout=_TIMEOUT,
            clock=self.clock,
            interval=0.25,
            describe=lambda found: f"{dig(found, 'status', 'phase')}",
        )


@dataclass(frozen=True, slots=True)
class _Removal:
    """What happens to a namespace at the end of its block."""

    namespaces: Namespaces
    folder: ClusterFolder
    made: MadeNamespace
    keep: str

    def __call__(self, failed: object, *_details: object) -> None:
        if self.keep == "always" or (self.keep == "on-failure" and failed):
            self.namespaces.progress(f"namespace {self.made.name} is kept")
            return
        self.namespaces.remove(self.folder, self.made)


def _left(record: Path, living: JsonObject) -> MadeNamespace | None:
    """What an earlier run of ours wrote down of just this namespace, or None."""
    try:
        left = MadeNamespace(**json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # Without a record it is somebody else's.
    seen = (dig(living, "metadata", "uid"), label_of(living, OWNER_LABEL))
    return left if seen == (left.uid, left.owner) else None
