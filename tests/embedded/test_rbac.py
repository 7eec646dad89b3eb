"""Roles and bindings decide for whoever is impersonated."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.cluster import Cluster

ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.fixture
def reader(cluster: Cluster, namespace: str) -> str:
    """A user who may read Pods, and one ConfigMap, in the namespace."""
    for arguments in (
        ("role", "reader", "--verb=get,list,watch", "--resource=pods,pods/log"),
        ("role", "one-map", "--verb=get", "--resource=configmaps", "--resource-name=mine"),
        ("rolebinding", "reader", "--role=reader", "--user=ann"),
        ("rolebinding", "one-map", "--role=one-map", "--user=ann"),
    ):
        done = cluster.kubectl("create", *arguments, "-n", namespace)
        assert done.code == 0, done.err
    return "ann"


@pytest.mark.covers("access", "a Role and its binding allow what they name, and nothing else")
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (("get", "pods"), "yes"),
        (("list", "pods"), "yes"),
        (("get", "pods", "--subresource=log"), "yes"),
        (("create", "pods", "--subresource=exec"), "no"),
        (("delete", "pods"), "no"),
        (("get", "configmap/mine"), "yes"),
        (("get", "configmap/other"), "no"),
        (("list", "configmaps"), "no"),
        (("get", "ksvc"), "no"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_can_i(
    cluster: Cluster, namespace: str, reader: str, question: tuple[str, ...], answer: str
) -> None:
    done = cluster.kubectl("auth", "can-i", *question, f"--as={reader}", "-n", namespace)
    assert (done.out, done.code) == (f"{answer}\n", 0 if answer == "yes" else 1)


@pytest.mark.covers("access", "the requests themselves are allowed and refused alike")
def test_requests(cluster: Cluster, namespace: str, reader: str) -> None:
    listed = cluster.kubectl("get", "pods", "-n", namespace, f"--as={reader}")
    assert (listed.code, listed.err) == (0, f"No resources found in {namespace} namespace.\n")
    elsewhere = cluster.kubectl("get", "pods", "-n", "default", f"--as={reader}")
    assert elsewhere.code == 1
    assert 'User "ann" cannot list resource "pods" in API group ""' in elsewhere.err
    cluster.kubectl("create", "configmap", "mine", "-n", namespace)
    assert cluster.kubectl("get", "cm", "mine", "-n", namespace, f"--as={reader}").code == 0
    assert cluster.kubectl("delete", "cm", "mine", "-n", namespace, f"--as={reader}").code == 1


@pytest.mark.covers("access", "groups and service accounts are subjects too")
@pytest.mark.parametrize(
    ("subject", "identity"),
    [
        ("--group=crew", ("--as=joe", "--as-group=other", "--as-group=crew")),
        ("--serviceaccount={}:bot", ("--as=system:serviceaccount:{}:bot",)),
    ],
    ids=["group", "service account"],
)
def test_subjects(
    cluster: Cluster, namespace: str, subject: str, identity: tuple[str, ...]
) -> None:
    who = [part.format(namespace) for part in identity]
    ask = ["auth", "can-i", "list", "ksvc", "-n", namespace, *who]
    assert cluster.kubectl(*ask).out == "no\n"
    bind = ["create", "rolebinding", "b", "-n", namespace, "--clusterrole=view"]
    assert cluster.kubectl(*bind, subject.format(namespace)).code == 0
    assert cluster.kubectl(*ask).out == "yes\n"


def asked(client: httpx.Client, **spec: Any) -> dict[str, Any]:
    answer = client.post(ACCESS, json={"spec": spec}, headers={"impersonate-user": "ann"})
    assert answer.status_code == 201, answer.text
    status: dict[str, Any] = answer.json()["status"]
    return status


@pytest.mark.covers("access", "SelfSubjectAccessReview names the binding, and knows paths")
def test_reviews(http: httpx.Client, namespace: str, reader: str) -> None:
    resource = {"namespace": namespace, "verb": "get", "resource": "pods"}
    assert asked(http, resourceAttributes=resource) == {
        "allowed": True,
        "reason": f'RBAC: allowed by RoleBinding "reader/{namespace}" of Role "reader" to '
        f'User "{reader}"',
    }
    assert asked(http, nonResourceAttributes={"path": "/version", "verb": "get"})["allowed"]
    assert not asked(http, nonResourceAttributes={"path": "/metrics", "verb": "get"})["allowed"]
    neither = http.post(ACCESS, json={"spec": {}})
    assert (neither.status_code, neither.json()["reason"]) == (422, "Invalid")


@pytest.mark.covers("access", "auth whoami and auth can-i --list")
def test_who_and_what(cluster: Cluster, namespace: str, reader: str) -> None:
    who = cluster.kubectl("auth", "whoami", f"--as={reader}").out
    assert "Username" in who
    assert reader in who
    rules = cluster.kubectl("auth", "can-i", "--list", f"--as={reader}", "-n", namespace)
    assert rules.code == 0, rules.err
    assert any(line.split()[:1] == ["pods"] for line in rules.out.splitlines())


def test_groups_without_a_user_are_refused(http: httpx.Client) -> None:
    assert http.get("/api", headers={"impersonate-group": "crew"}).status_code == 500
