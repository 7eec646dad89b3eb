"""Authorization: what Roles, ClusterRoles and their bindings allow a user.

Members of system:masters may do all.  Whether someone may grant more than they have themselves is
not checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.embedded.api.auth import User
from infra.embedded.api.target import Target
from infra.embedded.errors import Forbidden
from infra.embedded.kinds import CLUSTERROLE, CLUSTERROLEBINDING, ROLE, ROLEBINDING
from infra.embedded.reading import Reading

Rule = Mapping[str, Any]
_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What somebody wants to do with resources."""

    verb: str
    group: str
    resource: str  # the plural
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @classmethod
    def of(cls, target: Target, verb: str) -> "Attributes":
        kind = target.kind
        return cls(
            verb,
            kind.group,
            kind.plural,
            target.subresource or "",
            target.namespace or "",
            target.name or "",
        )

    @property
    def path(self) -> str:
        """The resource as rules and messages name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule and why it applies to a user."""

    rule: Rule
    reason: str


def authorize(store: Reading, user: User, wanted: Attributes) -> None:
    """Raise Forbidden, as the API server words it, for what nothing allows."""
    if user.admin or allowed_by(grants(store, user, wanted.namespace), wanted) is not None:
        return
    qualified = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    subject = f'{qualified} "{wanted.name}"' if wanted.name else qualified
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    details = {
        **({"name": wanted.name} if wanted.name else {}),
        **({"group": wanted.group} if wanted.group else {}),
        "kind": wanted.resource,
    }
    raise Forbidden(
        f'{subject} is forbidden: User "{user.name}" cannot {wanted.verb} resource '
        f'"{wanted.path}" in API group "{wanted.group}" {where}',
        details=details,
    )


def authorize_path(store: Reading, user: User, path: str, verb: str) -> None:
    """Raise Forbidden for a path that is not about a resource and that no rule opens."""
    if user.admin or path_allowed_by(grants(store, user, ""), path, verb) is not None:
        return
    raise Forbidden(f'forbidden: User "{user.name}" cannot {verb} path "{path}"', details={})


def grants(store: Reading, user: User, namespace: str) -> Iterator[Grant]:
    """Every rule that holds for a user, cluster-wide and in a namespace."""
    for binding in store.list(CLUSTERROLEBINDING):
        yield from _granted(store, user, binding, namespace="")
    if namespace:
        for binding in store.list(ROLEBINDING, namespace):
            yield from _granted(store, user, binding, namespace=namespace)


def allowed_by(found: Iterator[Grant], wanted: Attributes) -> Grant | None:
    """The first rule that allows it."""
    return next((grant for grant in found if _covers(grant.rule, wanted)), None)


def path_allowed_by(found: Iterator[Grant], path: str, verb: str) -> Grant | None:
    """The first rule that opens a path which is not about a resource."""
    return next((grant for grant in found if _opens(grant.rule, path, verb)), None)


def _granted(
    store: Reading, user: User, binding: Mapping[str, Any], *, namespace: str
) -> Iterator[Grant]:
    subject = next((s for s in binding.get("subjects") or () if _is(user, s, namespace)), None)
    reference = binding.get("roleRef") or {}
    if subject is None or reference.get("apiGroup", _GROUP) != _GROUP:
        return
    kind = CLUSTERROLE if reference.get("kind") == "ClusterRole" else ROLE
    name = reference["name"]
    role = store.find(kind, namespace, name)
    if role is None:
        return
    bound = f'{binding["kind"]} "{_full(binding)}"'
    to = f'{subject["kind"]} "{subject["name"]}"'
    reason = f'RBAC: allowed by {bound} of {kind.kind} "{name}" to {to}'
    for rule in role.get("rules") or ():
        yield Grant(rule, reason)


def _full(binding: Mapping[str, Any]) -> str:
    meta = binding["metadata"]
    return f"{meta['name']}/{meta['namespace']}" if "namespace" in meta else str(meta["name"])


def _is(user: User, subject: Mapping[str, Any], namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(subject.get("name") == user.name)
        case "Group":
            return subject.get("name") in user.groups
        case "ServiceAccount":
            space = subject.get("namespace") or namespace
            return user.name == f"system:serviceaccount:{space}:{subject.get('name')}"
    return False


def _covers(rule: Rule, wanted: Attributes) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        _has(rule, "verbs", wanted.verb)
        and _has(rule, "apiGroups", wanted.group)
        and _has_resource(rule.get("resources") or (), wanted)
        and (not names or wanted.name in names)
    )


def _has(rule: Rule, field: str, value: str) -> bool:
    values = rule.get(field) or ()
    return "*" in values or value in values


def _has_resource(resources: Sequence[str], wanted: Attributes) -> bool:
    anything = f"*/{wanted.subresource}" if wanted.subresource else "*"
    return "*" in resources or wanted.path in resources or anything in resources


def _opens(rule: Rule, path: str, verb: str) -> bool:
    return _has(rule, "verbs", verb) and any(
        pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern[:-1]))
        for pattern in rule.get("nonResourceURLs") or ()
    )
