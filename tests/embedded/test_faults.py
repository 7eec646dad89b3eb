"""Faults: each breaks what it says, is in effect when Active, and is mended when gone."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.exchange import Answer, exchange, get
from tests.support.wait import eventually

SHORT = 1.0


@pytest.fixture(scope="module")
def hello(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster of the emulator's own with a ready KService `fault-target`."""
    if not cluster.embedded:
        pytest.skip("faults are the emulator's")
    container = {"image": "dev.local/hello:v1"}
    cluster.apply(
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "fault-target", "namespace": "default"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
    )
    done = cluster.kubectl("wait", "--for=condition=Ready", "ksvc/fault-target", "--timeout=20s")
    assert done.code == 0, done.err
    yield cluster
    cluster.kubectl("delete", "ksvc", "fault-target")


def address(cluster: Cluster) -> tuple[str, int]:
    return cluster.info["gateway"]["address"], cluster.info["gateway"]["http"]


def host(cluster: Cluster) -> str:
    return f"fault-target.default.{cluster.info['domain']}"


def ask(cluster: Cluster) -> Answer:
    return get(address(cluster), host(cluster))


@contextmanager
def fault(cluster: Cluster, kind: str, **parameters: Any) -> Iterator[None]:
    """A fault that is in effect inside the block and mended after it."""
    name = f"test-{kind}"
    cluster.apply(
        {
            "apiVersion": "emulator.vpm.dev/v1alpha1",
            "kind": "Fault",
            "metadata": {"name": name},
            "spec": {"type": kind, **parameters},
        }
    )
    try:
        active = "--for=jsonpath={.status.phase}=Active"
        done = cluster.kubectl("wait", active, f"fault/{name}", "--timeout=10s")
        assert done.code == 0, done.err
        yield
    finally:
        cluster.kubectl("delete", "fault", name)


def refused(cluster: Cluster) -> bool:
    try:
        ask(cluster)
    except ConnectionRefusedError:
        return True
    return False


def silent(cluster: Cluster) -> bool:
    raw = f"GET / HTTP/1.1\r\nHost: {host(cluster)}\r\n\r\n".encode()
    try:
        exchange(address(cluster), raw, SHORT)
    except TimeoutError:
        return True
    return False


def reset(cluster: Cluster) -> bool:
    try:
        ask(cluster)
    except ConnectionResetError:
        return True
    return False


@pytest.mark.covers("faults", "the gateway not exposed, silent, resetting")
@pytest.mark.parametrize(
    ("kind", "symptom"),
    [("gateway-not-exposed", refused), ("gateway-silent", silent), ("gateway-reset", reset)],
)
def test_the_way_in_is_broken(
    hello: Cluster, kind: str, symptom: Callable[[Cluster], bool]
) -> None:
    with fault(hello, kind):
        assert symptom(hello)
        ready = hello.kubectl("get", "ksvc", "fault-target", "--no-headers").out.split()
        assert ready[-1] == "True"
    assert ask(hello).body == b"Hello World!\n"


@pytest.mark.covers("faults", "READY does not cross the way from outside")
def test_a_service_becomes_ready_though_nobody_can_reach_it(hello: Cluster) -> None:
    target = hello.get("ksvc", "fault-target")
    hidden = {
        "apiVersion": target["apiVersion"],
        "kind": "Service",
        "metadata": {"name": "hidden", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"image": "dev.local/hello:v1"}]}}},
    }
    with fault(hello, "gateway-not-exposed"):
        hello.apply(hidden)
        done = hello.kubectl("wait", "--for=condition=Ready", "ksvc/hidden", "--timeout=20s")
        assert done.code == 0, done.err
    hello.kubectl("delete", "ksvc", "hidden")


@pytest.mark.covers("faults", "an app that answers late")
def test_a_slow_app(hello: Cluster) -> None:
    with fault(hello, "app-slow", service="default/fault-target", seconds=0.5):
        answer = ask(hello)
        assert int(answer.header("x-envoy-upstream-service-time") or 0) >= 0
        assert silent_for(hello, 0.3)
    assert not silent_for(hello, 0.3)


def silent_for(cluster: Cluster, seconds: float) -> bool:
    raw = f"GET / HTTP/1.1\r\nHost: {host(cluster)}\r\n\r\n".encode()
    try:
        exchange(address(cluster), raw, seconds)
    except TimeoutError:
        return True
    return False


@pytest.mark.covers("faults", "an app that fails a share of requests")
def test_a_share_of_errors(hello: Cluster) -> None:
    with fault(hello, "app-error", percent=50):
        seen = {ask(hello).status for _ in range(40)}
    assert seen == {"HTTP/1.1 200 OK", "HTTP/1.1 500 Internal Server Error"}
    assert {ask(hello).status for _ in range(5)} == {"HTTP/1.1 200 OK"}


@pytest.mark.covers("faults", "a fault of one service spares another")
def test_another_service_is_not_concerned(hello: Cluster) -> None:
    with fault(hello, "app-error", service="default/other"):
        assert {ask(hello).status for _ in range(5)} == {"HTTP/1.1 200 OK"}


@pytest.mark.covers("faults", "an app that answers with another body")
def test_a_wrong_body(hello: Cluster) -> None:
    with fault(hello, "app-wrong-body", body="maintenance\n"):
        answer = ask(hello)
        assert (answer.status, answer.body) == ("HTTP/1.1 200 OK", b"maintenance\n")


@pytest.mark.covers("faults", "an app whose answer is cut")
def test_a_truncated_body(hello: Cluster) -> None:
    with fault(hello, "app-truncated"):
        answer = ask(hello)
        assert len(answer.body) < int(answer.header("content-length") or 0)


@pytest.mark.covers("faults", "one source address is turned away")
def test_one_source_is_turned_away(hello: Cluster) -> None:
    with fault(hello, "source-refused", source="127.0.0.77"):
        assert ask(hello).status == "HTTP/1.1 200 OK"
        with socket.create_connection(address(hello), SHORT, ("127.0.0.77", 0)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(100) == b""


@pytest.mark.covers("faults", "certificates expired or for another name")
@pytest.mark.parametrize(
    ("kind", "why"),
    [("tls-expired", "certificate has expired"), ("tls-wrong-name", "Hostname mismatch")],
)
def test_a_bad_certificate(hello: Cluster, kind: str, why: str) -> None:
    trust = ssl.create_default_context(cafile=str(hello.kubeconfig.parent / "pki" / "ca.crt"))
    gateway = (hello.info["gateway"]["address"], hello.info["gateway"]["https"])

    def handshake() -> str:
        with socket.create_connection(gateway, SHORT) as plain:
            try:
                with trust.wrap_socket(plain, server_hostname=host(hello)):
                    return ""
            except ssl.SSLCertVerificationError as error:
                return error.verify_message

    assert handshake() == ""
    with fault(hello, kind):
        eventually(lambda: why in handshake())
    eventually(lambda: handshake() == "")


@pytest.mark.covers("faults", "names that do not resolve in pods")
def test_names_do_not_resolve(hello: Cluster, namespace: str) -> None:
    script = "getent hosts kourier-internal.kourier-system.svc.cluster.local || echo none"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "c", "image": "busybox", "command": ["sh", "-c", script]}],
        },
    }
    with fault(hello, "dns-not-found", name="kourier-system.svc.cluster.local"):
        hello.apply(pod)
        phase = "--for=jsonpath={.status.phase}=Succeeded"
        done = hello.kubectl("wait", phase, "pod/p", "-n", namespace, "--timeout=20s")
        assert done.code == 0, done.err
    assert hello.kubectl("logs", "p", "-n", namespace).out == "none\n"


@pytest.mark.covers("faults", "Knative's webhook refuses connections")
def test_the_webhook_is_down(hello: Cluster) -> None:
    with fault(hello, "webhook-down"):
        answer = hello.kubectl("delete", "ksvc", "fault-target", "--dry-run=server")
        assert answer.code == 1
        assert 'failed calling webhook "validation.webhook.serving.knative.dev"' in answer.err
        assert hello.kubectl("get", "ksvc", "fault-target").code == 0


@pytest.mark.covers("faults", "the API server is away for a time")
def test_the_api_is_down_and_comes_back_by_itself(hello: Cluster) -> None:
    body = {
        "apiVersion": "emulator.vpm.dev/v1alpha1",
        "kind": "Fault",
        "metadata": {"name": "test-outage"},
        "spec": {"type": "api-down", "forSeconds": 1},
    }
    hello.apply(body)
    eventually(lambda: hello.kubectl("get", "pods").code == 1)
    eventually(lambda: hello.kubectl("get", "pods").code == 0)


@pytest.mark.covers("faults", "a fault that is none is refused with its reason")
@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"type": "nope"}, 'Unsupported value: "nope"'),
        (
            {"type": "app-error", "percent": 300},
            "spec: app-error: percent must be 0 to 100, not 300",
        ),
        ({"type": "app-error", "status": 99}, "status must be 200 to 599, not 99"),
        (
            {"type": "app-slow", "secs": 1},
            "app-slow has no parameter 'secs'; it takes service, per",
        ),
        ({"type": "source-refused"}, "source-refused needs the parameter 'source'"),
        ({"type": "app-wrong-body", "body": "x" * 5000}, "body must be at most 4096 bytes"),
    ],
)
def test_a_bad_fault_is_refused(hello: Cluster, spec: dict[str, Any], why: str) -> None:
    body = {"apiVersion": "emulator.vpm.dev/v1alpha1", "kind": "Fault", "metadata": {"name": "bad"}}
    done = hello.kubectl("create", "-f", "-", stdin=json.dumps({**body, "spec": spec}))
    assert done.code == 1
    assert why in done.err
