"""Who asks: a bearer token, anonymous, or impersonated; and whether they may."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from infra.embedded.api.target import Target
from infra.embedded.errors import Forbidden, Unauthorized

ADMIN = "kubernetes-admin"
ANONYMOUS = "system:anonymous"
_MASTERS = "system:masters"
_PUBLIC = frozenset(["/healthz", "/livez", "/readyz", "/version"])


@dataclass(frozen=True, slots=True)
class User:
    """A caller.  There is no RBAC: members of system:masters may do all, others nothing."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def admin(self) -> bool:
        return _MASTERS in self.groups


def authenticate(headers: Mapping[str, str], token: str) -> User:
    """The caller of a request; raises Unauthorized for a wrong token."""
    given = headers.get("authorization")
    if given is None:
        return User(ANONYMOUS, ("system:unauthenticated",))
    scheme, _, value = given.partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        value.strip().encode(), token.encode()
    ):
        raise Unauthorized
    impersonated = headers.get("impersonate-user")
    if impersonated is not None:
        groups = headers.get("impersonate-group", "").split(",")
        return User(impersonated, tuple(group.strip() for group in groups))
    return User(ADMIN, (_MASTERS, "system:authenticated"))


def authorize_path(user: User, path: str, verb: str) -> None:
    """Raise Forbidden for a path that is not about a resource.

    Whoever is known may read what is served and how; strangers only that the server lives.
    """
    if user.admin or path in _PUBLIC or (user.name != ANONYMOUS and verb == "get"):
        return
    raise Forbidden(f'forbidden: User "{user.name}" cannot {verb} path "{path}"', details={})


def authorize(user: User, target: Target, verb: str) -> None:
    """Raise Forbidden as the API server words it."""
    if user.admin:
        return
    kind = target.kind
    plural = f"{kind.plural}/{target.subresource}" if target.subresource else kind.plural
    subject = f'{kind.resource} "{target.name}"' if target.name else kind.resource
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    details = {
        **({"name": target.name} if target.name else {}),
        **({"group": kind.group} if kind.group else {}),
        "kind": kind.plural,
    }
    raise Forbidden(
        f'{subject} is forbidden: User "{user.name}" cannot {verb} resource "{plural}" '
        f'in API group "{kind.group}" {where}',
        details=details,
    )
