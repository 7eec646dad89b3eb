"""What is known about a manifest that a contract names: facts gathered for the policy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """One object of a manifest; `namespace` is empty when the manifest does not say one."""

    api: str
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.api}/{self.kind} {self.namespace or '(no namespace)'}/{self.name}"


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """A path as a contract gave it, and what was found there.

    `real` is the path after symlinks, relative to the repository, or empty when it is outside.
    `digest` and `objects` are of the very bytes that kubectl will be given; for a kustomize
    directory those are its output. `problem` says why there are none; `remote` names sources
    that would come over a network.
    """

    declared: str
    real: str = ""
    digest: str = ""
    size: int = 0
    objects: tuple[ObjectFacts, ...] = ()
    kustomized: bool = False
    remote: tuple[str, ...] = ()
    problem: str = ""
