"""The API client against a real HTTP server that answers like an API server."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from harness.core.errors import ClusterError
from infra.clusters.resources import CONFIG_MAP, DEPLOYMENT, KSERVICE, NAMESPACE, POD
from infra.kube import ApiError, KubernetesClient, Unreachable, is_loopback, resource_path
from tests.support.api_server import ApiServer, serving
from tests.support.fake_kube import FakeKube, named, namespace


@pytest.fixture
def server() -> Iterator[ApiServer]:
    kube = FakeKube(
        namespace("kube-system"),
        *(
            named(CONFIG_MAP, "default", f"c{number}", labels={"n": str(number)})
            for number in range(7)
        ),
    )
    with serving(kube) as running:
        yield running


@pytest.fixture
def client(server: ApiServer, tmp_path: Path) -> KubernetesClient:
    return KubernetesClient(server.write_kubeconfig(tmp_path / "kubeconfig", "here"), "here")


def test_get_returns_the_object_or_none(client: KubernetesClient) -> None:
    found = client.get(CONFIG_MAP, "default", "c3")
    assert found is not None
    assert found["metadata"]["name"] == "c3"
    assert client.get(CONFIG_MAP, "default", "nothing") is None


def test_list_follows_pages(client: KubernetesClient, server: ApiServer) -> None:
    server.page = 3
    assert len(client.list(CONFIG_MAP, "default")) == 7
    assert len([line for line in server.requests if "configmaps" in line]) == 3


def test_list_selects_by_label(client: KubernetesClient) -> None:
    assert [item["metadata"]["name"] for item in client.list(CONFIG_MAP, selector="n=5")] == ["c5"]


def test_create_patch_delete(client: KubernetesClient) -> None:
    client.create(
        CONFIG_MAP, "default", {"metadata": {"name": "new"}, "data": {"a": "1", "b": "2"}}
    )
    patched = client.patch(CONFIG_MAP, "default", "new", {"data": {"b": None, "c": "3"}})
    assert patched["data"] == {"a": "1", "c": "3"}
    client.delete(CONFIG_MAP, "default", "new")
    assert client.get(CONFIG_MAP, "default", "new") is None
    client.delete(CONFIG_MAP, "default", "new")


def test_watch_yields_now_and_then_each_change(client: KubernetesClient, server: ApiServer) -> None:
    changed = {"metadata": {"name": "c1"}, "data": {"a": "changed"}}
    server.watches = [
        [{"type": "MODIFIED", "object": changed}, {"type": "DELETED", "object": changed}],
        [{"type": "ERROR", "object": {"code": 410}}],
    ]
    watched = client.watch(CONFIG_MAP, "default", "c1", timeout=20)
    seen = list(islice(watched, 3))
    assert [item.get("data") for item in seen] == [None, {"a": "changed"}, None]
    assert all(item["metadata"]["name"] == "c1" for item in seen)


def test_watch_ends_at_its_deadline_without_listing_in_a_tight_loop(
    client: KubernetesClient, server: ApiServer
) -> None:
    client.server_version()
    asked = len(server.requests)
    assert list(client.watch(CONFIG_MAP, "default", "nothing", timeout=0.5)) == []
    # The server ends every watch at once: a pause of 0.2 s allows three rounds of two requests.
    assert len(server.requests) - asked <= 8


def test_logs(client: KubernetesClient) -> None:
    assert client.logs("default", "pod", tail=7) == "lines: 7\n"


def test_serves(client: KubernetesClient, server: ApiServer) -> None:
    assert client.serves(KSERVICE)
    assert client.serves(POD)
    server.kube.hidden.add("serving.knative.dev")
    assert not client.serves(KSERVICE)


def test_a_kind_that_is_not_served_has_no_objects(
    client: KubernetesClient, server: ApiServer
) -> None:
    server.refuse["/apis/apps/v1/deployments"] = 404
    assert list(client.list(DEPLOYMENT)) == []


def test_server_version(client: KubernetesClient) -> None:
    assert client.server_version() == "1.33.13"


@pytest.mark.parametrize(
    ("status", "mend"),
    [(401, "log in again"), (403, "permission"), (500, "webhook"), (503, "not ready")],
)
def test_refusals_carry_the_servers_words_and_a_mend(
    client: KubernetesClient, server: ApiServer, status: int, mend: str
) -> None:
    server.refuse["/api/v1/namespaces/kube-system"] = status
    with pytest.raises(ApiError, match=f"refused for the test with {status}") as caught:
        client.get(NAMESPACE, "", "kube-system")
    assert caught.value.status == status
    assert mend in (caught.value.mend or "")
    assert "here refused GET /api/v1/namespaces/kube-system" in caught.value.message


def test_an_api_that_does_not_answer(tmp_path: Path) -> None:
    with serving(FakeKube()) as server:
        kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig", "gone")
    with pytest.raises(Unreachable, match="context gone does not answer"):
        KubernetesClient(kubeconfig, "gone").server_version()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "is not JSON"),
        (b"", "is not JSON"),
        (b"[]", "is no object"),
        (b'{"hello": 1}', "an answer has no 'gitVersion'"),
    ],
)
def test_a_server_that_is_not_kubernetes(tmp_path: Path, body: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, serving(FakeKube()) as server:
        kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig", "login")
        text = kubeconfig.read_text().replace(
            str(server.server_port), str(listener.getsockname()[1])
        )
        kubeconfig.write_text(text)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        answer = head % len(body) + body
        one_answer = subprocess.Popen(
            [sys.executable, "-c", _ONE_ANSWER, str(listener.fileno()), answer.hex()],
            pass_fds=[listener.fileno()],
        )
        with one_answer, pytest.raises(ClusterError, match=said):
            KubernetesClient(kubeconfig, "login").server_version()


_ONE_ANSWER = """
import socket, sys
connection, _ = socket.socket(fileno=int(sys.argv[1])).accept()
connection.recv(65536)
connection.sendall(bytes.fromhex(sys.argv[2]))
connection.close()
"""


@pytest.mark.parametrize("text", ["", "contexts: []", "::: not yaml"])
def test_a_kubeconfig_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(ClusterError, match="cannot be used"):
        KubernetesClient(path, "nowhere").server_version()


def test_a_proxy_is_not_asked_about_this_machine(
    client: KubernetesClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client.server_version() == "1.33.13"


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("https://127.81.14.132:6443", True),
        ("https://localhost:6443", True),
        ("https://[::1]:6443", True),
        ("https://127.example.org", False),
        ("https://10.0.0.1:6443", False),
        ("", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_the_client_library_is_not_loaded_before_the_first_call() -> None:
    code = (
        "import sys; from pathlib import Path; from infra.kube import KubernetesClient\n"
        "KubernetesClient(Path('/nowhere'), 'c'); sys.exit('kubernetes' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (resource_path(NAMESPACE, "ignored", "a"), "/api/v1/namespaces/a"),
        (resource_path(POD), "/api/v1/pods"),
        (resource_path(POD, "n", "p/../q"), "/api/v1/namespaces/n/pods/p%2F..%2Fq"),
        (resource_path(KSERVICE, "n"), "/apis/serving.knative.dev/v1/namespaces/n/services"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected
