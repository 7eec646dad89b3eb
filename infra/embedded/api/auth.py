"""Who asks: a bearer token, anonymous, or impersonated."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers

from infra.embedded.errors import Forbidden, InternalError, Unauthorized
from infra.embedded.tokens import Account, account_of

Lives = Callable[[Account], bool]  # whether the pod that an account's token was made for is there
ADMIN = "kubernetes-admin"
ANONYMOUS = "system:anonymous"
MASTERS = "system:masters"
_AUTHENTICATED = "system:authenticated"
_UNAUTHENTICATED = "system:unauthenticated"
_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class User:
    """A caller."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def admin(self) -> bool:
        """Whether the user may do all, whatever the roles say."""
        return MASTERS in self.groups


def authenticate(headers: Headers, token: str, lives: Lives) -> User:
    """The caller of a request; raises Unauthorized for a wrong token."""
    given = headers.get("authorization")
    if given is None:
        return User(ANONYMOUS, (_UNAUTHENTICATED,))
    scheme, _, value = given.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized
    user = owner(value.strip(), token, lives)
    if user is None:
        raise Unauthorized
    acting = _impersonated(headers)
    if acting is not None and not user.admin:
        raise Forbidden(
            f'users "{acting.name}" is forbidden: User "{user.name}" cannot impersonate resource'
            ' "users" in API group "" at the cluster scope',
            details={"name": acting.name, "kind": "users"},
        )
    return acting or user


def owner(given: str, token: str, lives: Lives) -> User | None:
    """The user whom a token stands for; None for a wrong one, and one whose pod is gone."""
    if hmac.compare_digest(given.encode(), token.encode()):
        return User(ADMIN, (MASTERS, _AUTHENTICATED))
    account = account_of(given, token)
    return User(account.user, account.groups) if account and lives(account) else None


def _impersonated(headers: Headers) -> User | None:
    """Whom the caller, who may act for anybody, acts for."""
    name, groups = headers.get("impersonate-user"), headers.getlist("impersonate-group")
    if name is None:
        if groups:
            raise InternalError(
                f"requested groups {groups} to be impersonated without impersonating a user"
            )
        return None
    groups = [group.strip() for given in groups for group in given.split(",") if group.strip()]
    return User(name, _all_groups(name, groups))


def _all_groups(name: str, groups: list[str]) -> tuple[str, ...]:
    """With those that every user, and every service account, is a member of."""
    if name == ANONYMOUS:
        return (*groups, _UNAUTHENTICATED)
    if name.startswith(_ACCOUNT) and not groups:
        space = name.removeprefix(_ACCOUNT).partition(":")[0]
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{space}"]
    return (*groups, *([] if _AUTHENTICATED in groups else [_AUTHENTICATED]))
