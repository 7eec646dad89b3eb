"""Logs behind failed attempts: whose, how much, and without secrets."""

from __future__ import annotations

from typing import Any

from harness.core.errors import ClusterError
from probes.jobspec import POD
from probes.logs import FailureLogs
from tests.contract.probes.setting import SERVICE, MemoryStore
from tests.support.fake_kube import FakeKube


def pod(name: str, namespace: str, labels: dict[str, str], *containers: str) -> Any:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": container} for container in containers]},
    }


OF_SERVICE = {"serving.knative.dev/service": "metrics-echo"}
OF_GATEWAY = {"app": "3scale-kourier-gateway"}


class Talking(FakeKube):
    """Pods whose containers have logged `text`; those of a pod named mute cannot be read."""

    def __init__(self, text: str, *pods: Any) -> None:
        super().__init__(*((POD, one) for one in pods))
        self._text = text

    def logs(self, namespace: str, pod: str, *, container: str = "", tail: int = 200) -> str:
        assert namespace
        if pod == "mute":
            raise ClusterError("pods/log is forbidden")
        return "".join(f"{container}: {self._text}\n" for _ in range(tail))


def collect(client: FakeKube) -> dict[str, bytes]:
    store = MemoryStore()
    artefacts = FailureLogs(client, store).collect(SERVICE, prefix="01")
    assert [artefact.path for artefact in artefacts] == list(store.files)
    return store.files


def test_every_container_of_the_service_and_the_gateway_is_asked() -> None:
    files = collect(
        Talking(
            "hi",
            pod("echo-1", "default", OF_SERVICE, "user-container", "queue-proxy"),
            pod("other", "default", {}, "app"),
            pod("gw", "kourier-system", OF_GATEWAY, "kourier-gateway"),
        )
    )
    assert sorted(files) == [
        "logs/01-echo-1-queue-proxy.log",
        "logs/01-echo-1-user-container.log",
        "logs/01-gw-kourier-gateway.log",
    ]
    assert files["logs/01-echo-1-user-container.log"].startswith(b"user-container: hi\n")


def test_a_log_is_bounded_and_keeps_its_end() -> None:
    files = collect(Talking("x" * 1000, pod("echo-1", "default", OF_SERVICE, "app")))
    (content,) = files.values()
    assert len(content) == 64 * 1024
    assert content.endswith(b"x\n")


def test_secrets_are_not_kept() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLW9mLWEtdG9rZW4"
    files = collect(
        Talking(f"Authorization: Bearer {token}", pod("echo-1", "default", OF_SERVICE, "app"))
    )
    assert token.encode() not in b"".join(files.values())


def test_a_log_that_cannot_be_read_says_why() -> None:
    files = collect(Talking("", pod("mute", "default", OF_SERVICE, "app")))
    assert files == {"logs/01-mute-app.log": b"not readable: pods/log is forbidden\n"}


def test_at_most_four_pods_are_asked() -> None:
    pods = [pod(f"echo-{i}", "default", OF_SERVICE, "app") for i in range(9)]
    assert len(collect(Talking("hi", *pods))) == 4
