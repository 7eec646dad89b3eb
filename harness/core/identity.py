"""Who was looked at and from where: identities that evidence is bound to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GATEWAY_NAMESPACE = "kourier-system"
"""Where a release of kourier puts its gateway; clusters may have it elsewhere."""


@dataclass(frozen=True, slots=True)
class ClusterIdentity:
    """Which cluster this is. `uid` is the UID of its namespace kube-system.

    `images` are those of Knative's and kourier's Deployments, by namespace/name: as they are
    written there, with digests where the release names them so.
    """

    provider: str
    name: str
    context: str
    uid: str
    server_version: str
    knative_version: str
    ingress: str = "kourier"
    ingress_version: str = ""
    emulator: bool = False
    chosen_because: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VantageIdentity:
    """Which place samples were sent from, and how its clock stands to the devbox's (seconds)."""

    name: str
    engine: str = "agent"
    host: str = ""
    pod: str = ""
    node: str = ""
    image: str = ""
    image_digest: str = ""
    resolver: str = ""
    source_address: str = ""
    clock_offset: float | None = None
    agent_sha256: str = ""
