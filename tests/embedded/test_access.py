"""Who may ask, and what happens to requests that are malformed or huge."""

from __future__ import annotations

import socket
import ssl
import stat

import httpx
import pytest

from tests.embedded.test_pods import pod, running
from tests.support.cluster import Cluster
from tests.support.wait import eventually

SERVICES = "/apis/serving.knative.dev/v1/namespaces/default/services"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.mark.covers("access", "anonymous requests", recording="01-discovery/anonymous-request")
def test_strangers_are_forbidden(cluster: Cluster) -> None:
    with cluster.http(token="") as client:
        answer = client.get(SERVICES)
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        'services.serving.knative.dev is forbidden: User "system:anonymous" cannot list resource '
        '"services" in API group "serving.knative.dev" in the namespace "default"'
    )


@pytest.mark.covers("access", "wrong token", recording="03-kubectl/delete-and-misc: wrong token")
def test_a_wrong_token_is_unauthorized(cluster: Cluster) -> None:
    with cluster.http(token="wrong") as client:
        answer = client.get(SERVICES)
    assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")
    # With no discovery in kubectl's cache the words are client-go's own; recorded was a warm one.
    assert cluster.kubectl("get", "ksvc").code == 0
    done = cluster.kubectl("get", "ksvc", "--token=wrong")
    assert (done.code, done.err) == (
        1,
        "error: You must be logged in to the server (Unauthorized)\n",
    )


@pytest.mark.covers("access", "impersonation of a user without rights",
                    recording="03-kubectl/delete-and-misc: no permission")  # fmt: skip
def test_jane_may_not(cluster: Cluster) -> None:
    done = cluster.kubectl("get", "ksvc", "--as=jane")
    assert (done.code, done.err) == (
        1,
        'Error from server (Forbidden): services.serving.knative.dev is forbidden: User "jane" '
        'cannot list resource "services" in API group "serving.knative.dev" in the namespace '
        '"default"\n',
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez", "/version"])
def test_health_is_public(cluster: Cluster, path: str) -> None:
    with cluster.http(token="") as client:
        assert client.get(path).status_code == 200


def test_the_kubeconfig_is_private_and_everything_is_loopback(own: Cluster) -> None:
    assert stat.S_IMODE(own.kubeconfig.stat().st_mode) == 0o600
    assert own.info["server"].startswith("https://127.")


def test_plain_http_gets_no_answer(own: Cluster) -> None:
    host, port = own.info["server"].removeprefix("https://").split(":")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{host}:{port}/version", timeout=5)


@pytest.mark.covers("robustness", "malformed and huge requests are answered 4xx")
@pytest.mark.parametrize(
    ("content", "media", "code"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"metadata": 3}', "application/json", 400),
        (b'{"metadata": {"name": 3}}', "application/json", 400),
        (b'{"metadata": {"name": "x", "labels": []}}', "application/json", 400),
        (b'{"data": {"a": 1}, "metadata": {"name": "x"}}', "application/json", 400),
        (b'{"apiVersion": "v2", "kind": "ConfigMap"}', "application/json", 400),
        (b'{"apiVersion": "v1", "kind": "Secret"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 1000 + b"1" + b"}" * 1000, "application/json", 400),
        (b"a: &a [*a]", "application/yaml", 400),
        (b"a: b: c", "application/yaml", 400),
        (b"x" * (3 * 1024 * 1024 + 1), "application/json", 413),
        (b"<x/>", "application/xml", 415),
        (b"k8s\x00\xff\xff", "application/vnd.kubernetes.protobuf", 400),
        (b"nothing", "application/vnd.kubernetes.protobuf", 400),
        (b'{"metadata": {"name": "x", "ownerReferences": [{}]}}', "application/json", 422),
        (b'{"metadata": {"name": "x", "ownerReferences": 3}}', "application/json", 400),
        (b'{"metadata": {"name": "x", "managedFields": [3]}}', "application/json", 400),
        (b'{"metadata": {"name": "x", "finalizers": "f"}}', "application/json", 400),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else None,
)
def test_bodies(http: httpx.Client, content: bytes, media: str, code: int) -> None:
    answer = http.post(MAPS, content=content, headers={"content-type": media})
    assert answer.status_code == code
    assert answer.json()["code"] == code
    assert http.get("/healthz").text == "ok"


@pytest.mark.parametrize(
    ("query", "code"),
    [("limit=x", 400), ("resourceVersion=x", 400), ("labelSelector=a%20b", 400),
     ("fieldSelector=data.x%3D1", 400), ("continue=x", 400), ("resourceVersion=99999999999", 504)],
)  # fmt: skip
def test_queries(http: httpx.Client, query: str, code: int) -> None:
    assert http.get(f"{MAPS}?{query}").status_code == code


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE"])
def test_methods(http: httpx.Client, method: str) -> None:
    assert http.request(method, MAPS).status_code == 405


@pytest.mark.parametrize(
    "raw",
    [b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
     b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"NOT HTTP\r\n\r\n"],
    ids=["zeros", "no host", "long", "negative length", "garbage"],
)  # fmt: skip
def test_bytes_that_are_no_request(own: Cluster, http: httpx.Client, raw: bytes) -> None:
    host, port = own.info["server"].removeprefix("https://").split(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain) as secure,
    ):
        secure.sendall(raw)
        secure.settimeout(5)
        answer = secure.recv(64)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200"))
    assert http.get("/healthz").text == "ok"


@pytest.mark.covers("access", "a service account's token ends with its pod")
def test_a_pods_token_ends_with_the_pod(own: Cluster, http: httpx.Client, namespace: str) -> None:
    own.apply(pod("teller", namespace, "sleep 3600"))
    running(own, "teller", namespace)
    file = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    token = own.kubectl("exec", "teller", "-n", namespace, "--", "cat", file).out
    bearer = {"Authorization": f"Bearer {token}"}
    path = f"/api/v1/namespaces/{namespace}/pods"
    assert http.get(path, headers=bearer).status_code == 403  # known, and without a role
    own.kubectl("delete", "pod", "teller", "-n", namespace, "--grace-period=0", "--force")
    eventually(lambda: http.get(path, headers=bearer).status_code == 401)
