"""The Kubernetes kinds that contracts may speak of, and the names that kubectl knows them by.

A kind that is not in this table cannot be named by a contract at all. Secrets, ServiceAccounts
and RBAC are left out on purpose: no run needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: how manifests call it (`api`, `kind`) and how kubectl does (`qualified`)."""

    api: str
    kind: str
    qualified: str
    aliases: tuple[str, ...]
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        group, _, version = self.api.rpartition("/")
        return group if version else ""

    @property
    def ident(self) -> str:
        """The kind with its API, for example `serving.knative.dev/v1/Service`."""
        return f"{self.api}/{self.kind}"


KSERVICE = Kind(
    "serving.knative.dev/v1",
    "Service",
    "services.serving.knative.dev",
    ("ksvc", "kservice", "kservices", "service.serving.knative.dev"),
)

KINDS: tuple[Kind, ...] = (
    KSERVICE,
    Kind(
        "serving.knative.dev/v1",
        "Configuration",
        "configurations.serving.knative.dev",
        ("configuration", "configurations", "config", "cfg"),
    ),
    Kind(
        "serving.knative.dev/v1",
        "Revision",
        "revisions.serving.knative.dev",
        ("revision", "revisions", "rev"),
    ),
    Kind(
        "serving.knative.dev/v1",
        "Route",
        "routes.serving.knative.dev",
        ("route", "routes", "rt"),
    ),
    Kind("v1", "Pod", "pods", ("pod", "po")),
    Kind("v1", "Service", "services", ("service", "svc")),
    Kind("v1", "Event", "events", ("event", "ev")),
    Kind("v1", "Node", "nodes", ("node", "no"), namespaced=False),
    Kind("v1", "Namespace", "namespaces", ("namespace", "ns"), namespaced=False),
    Kind("apps/v1", "Deployment", "deployments.apps", ("deployment", "deployments", "deploy")),
    Kind("apps/v1", "ReplicaSet", "replicasets.apps", ("replicaset", "replicasets", "rs")),
)

BY_WORD: Mapping[str, Kind] = MappingProxyType(
    {word: kind for kind in KINDS for word in (kind.qualified, *kind.aliases)}
)
BY_IDENT: Mapping[str, Kind] = MappingProxyType({kind.ident: kind for kind in KINDS})


def kind_called(word: str) -> Kind | None:
    """The kind that kubectl means by `word` (`ksvc`, `pods`), or None."""
    return BY_WORD.get(word.lower())


def kind_of(api: str, kind: str) -> Kind | None:
    """The kind that a manifest means by its apiVersion and kind, or None."""
    return BY_IDENT.get(f"{api}/{kind}")
