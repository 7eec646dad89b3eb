"""What the handlers work with: the cluster's parts, and one call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request

from infra.embedded.api.auth import User
from infra.embedded.api.openapi import Documents
from infra.embedded.api.target import Options, Target
from infra.embedded.clock import Clock
from infra.embedded.kinds import POD
from infra.embedded.kubelet import Kubelet
from infra.embedded.store import Store
from infra.embedded.tokens import Account


class Node(Protocol):
    """The part of the cluster that runs pods, once it has been started."""

    @property
    def kubelet(self) -> Kubelet | None: ...


@dataclass(frozen=True, slots=True)
class Api:
    """One API server."""

    store: Store
    clock: Clock
    token: str
    address: str  # host:port
    node: Node
    documents: Documents

    def lives(self, account: Account) -> bool:
        """Whether the pod that a service account's token was made for is still there."""
        pod = self.store.find(POD, account.namespace, account.pod)
        return pod is not None and pod["metadata"]["uid"] == account.pod_uid


@dataclass(slots=True)
class Call:
    """One request that has passed authentication and authorization."""

    request: Request
    target: Target
    options: Options
    user: User
    warnings: list[str] = field(default_factory=list)

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers
