"""What the handlers work with: the cluster's parts, and one call."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request

from infra.embedded.api.auth import User
from infra.embedded.api.target import Options, Target
from infra.embedded.clock import Clock
from infra.embedded.store import Obj, Store


class Pods(Protocol):
    """What the node offers to the subresources of pods."""

    def logs(
        self,
        pod: Obj,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        previous: bool = False,
        timestamps: bool = False,
        limit_bytes: int | None = None,
    ) -> AsyncIterator[bytes]:
        """The container's output; `since` in seconds back from now."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """One API server."""

    store: Store
    clock: Clock
    token: str
    address: str  # host:port
    pods: Pods | None = None


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
