"""Which rules cover which requests."""

from __future__ import annotations

from typing import Any

import pytest

from infra.embedded.api.auth import User
from infra.embedded.api.rbac import Attributes, Grant, allowed_by, authorize, path_allowed_by
from infra.embedded.clock import Clock
from infra.embedded.errors import Forbidden
from infra.embedded.kinds import ROLE, ROLEBINDING
from infra.embedded.store import Store

PODS = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}


@pytest.mark.parametrize(
    ("rule", "wanted", "covered"),
    [
        (PODS, Attributes("get", "", "pods"), True),
        (PODS, Attributes("list", "", "pods"), False),
        (PODS, Attributes("get", "apps", "pods"), False),
        (PODS, Attributes("get", "", "pods", "log"), False),
        (PODS | {"resources": ["pods/log"]}, Attributes("get", "", "pods", "log"), True),
        (PODS | {"resources": ["*/log"]}, Attributes("get", "", "pods", "log"), True),
        (PODS | {"resources": ["*/log"]}, Attributes("get", "", "pods"), False),
        (PODS | {"resources": ["*"]}, Attributes("get", "", "pods", "log"), True),
        (PODS | {"verbs": ["*"]}, Attributes("delete", "", "pods"), True),
        (PODS | {"resourceNames": ["a"]}, Attributes("get", "", "pods", name="a"), True),
        (PODS | {"resourceNames": ["a"]}, Attributes("get", "", "pods", name="b"), False),
        (PODS | {"resourceNames": ["a"]}, Attributes("get", "", "pods"), False),
        ({"verbs": ["get"], "nonResourceURLs": ["*"]}, Attributes("get", "", "pods"), False),
    ],
)
def test_rules(rule: dict[str, Any], wanted: Attributes, covered: bool) -> None:
    grant = Grant(rule, "because")
    assert allowed_by(iter([grant]), wanted) == (grant if covered else None)


@pytest.mark.parametrize(
    ("pattern", "path", "opened"),
    [("/api", "/api", True), ("/api", "/api/v1", False), ("/api/*", "/api/v1", True),
     ("*", "/anything", True), ("/apis/*", "/api", False)],
)  # fmt: skip
def test_paths(pattern: str, path: str, opened: bool) -> None:
    grant = Grant({"verbs": ["get"], "nonResourceURLs": [pattern]}, "because")
    assert (path_allowed_by(iter([grant]), path, "get") is not None) == opened
    assert path_allowed_by(iter([grant]), path, "post") is None


def test_a_binding_without_its_role_allows_nothing() -> None:
    store = Store(Clock())
    binding = {
        "metadata": {"name": "b", "namespace": "n"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "ann"}],
    }
    store.create(ROLEBINDING, binding)
    wanted = Attributes("get", "", "pods", namespace="n")
    with pytest.raises(Forbidden, match='User "ann" cannot get resource "pods"'):
        authorize(store, User("ann"), wanted)
    store.create(ROLE, {"metadata": {"name": "r", "namespace": "n"}, "rules": [PODS]})
    authorize(store, User("ann"), wanted)
    with pytest.raises(Forbidden):
        authorize(store, User("bob"), wanted)
