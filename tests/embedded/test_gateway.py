"""The gateway's answers, as recorded from kourier (05-gateway/responses.json)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.exchange import Answer, exchange, get

READY = ("content-length", "content-type", "date", "x-envoy-upstream-service-time", "server")
REFUSED = ("content-length", "content-type", "date", "server", "connection")


def service(name: str, namespace: str, env: dict[str, str], **spec: Any) -> dict[str, Any]:
    """A KService of the experiment image that keeps one pod."""
    variables = [{"name": key, "value": value} for key, value in env.items()]
    container = {"image": "dev.local/hello:v1", "env": variables, **spec.pop("container", {})}
    notes = {f"autoscaling.knative.dev/{side}-scale": "1" for side in ("min", "max")}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, **spec.pop("metadata", {})},
        "spec": {
            "template": {
                "metadata": {"annotations": notes},
                "spec": {"containers": [container], **spec},
            }
        },
    }


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway with the services of the recording."""

    address: tuple[str, int]
    domain: str
    namespace: str

    def host(self, name: str = "echo") -> str:
        return f"{name}.{self.namespace}.{self.domain}"

    def get(self, path: str = "/", *headers: str, name: str = "echo") -> Answer:
        return get(self.address, self.host(name), path, *headers)

    def seen(self, *headers: str) -> dict[str, list[str]]:
        """The headers that the app sees of a request with these."""
        found: dict[str, list[str]] = json.loads(self.get("/headers", *headers).body)["headers"]
        return found


@pytest.fixture(scope="module")
def gateway(cluster: Cluster) -> Iterator[Gateway]:
    if not cluster.embedded:
        pytest.skip("needs the emulator's gateway address")
    name = f"gw-{time.monotonic_ns():x}"
    local = {"metadata": {"labels": {"networking.knative.dev/visibility": "cluster-local"}}}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    cluster.apply(
        service("echo", name, {"TARGET": "Echo"}),
        service("tmo", name, {}, timeoutSeconds=1),
        service("start", name, {}, timeoutSeconds=10, responseStartTimeoutSeconds=1),
        service("cc1", name, {}, containerConcurrency=1),
        service("idle", name, {}, timeoutSeconds=30, idleTimeoutSeconds=1),
        service("h2", name, {}, container={"ports": [{"name": "h2c", "containerPort": 8080}]}),
        {
            **service("local", name, {}),
            **{"metadata": {"name": "local", "namespace": name, **local["metadata"]}},
        },
    )
    done = cluster.kubectl("wait", "--for=condition=Ready", "ksvc", "--all", "-n", name)
    assert done.code == 0, done.err
    info = cluster.info
    yield Gateway((info["gateway"]["address"], info["gateway"]["http"]), info["domain"], name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.covers("gateway", "a ready service answers", recording="05-gateway/responses")
def test_a_ready_service_answers(gateway: Gateway) -> None:
    answer = gateway.get()
    assert (answer.status, answer.body, answer.names) == (
        "HTTP/1.1 200 OK",
        b"Hello Echo!\n",
        READY,
    )
    assert answer.header("server") == "envoy"


@pytest.mark.covers(
    "gateway", "hosts match with any port and case", recording="05-gateway/responses"
)
@pytest.mark.parametrize("port", ["", ":31080"])
@pytest.mark.parametrize("upper", [False, True])
def test_hosts_match_with_any_port_and_case(gateway: Gateway, port: str, upper: bool) -> None:
    host = gateway.host().upper() if upper else gateway.host()
    assert get(gateway.address, host + port).status == "HTTP/1.1 200 OK"


@pytest.mark.covers("gateway", "hosts that the outside has not", recording="05-gateway/responses")
@pytest.mark.parametrize(
    "host", ["nope.example.com", "nope.{namespace}.{domain}", "local.{namespace}.{domain}",
             "local.{namespace}.svc.cluster.local", "echo.{namespace}.svc.cluster.local"],
)  # fmt: skip
def test_hosts_that_the_outside_has_not(gateway: Gateway, host: str) -> None:
    name = host.format(namespace=gateway.namespace, domain=gateway.domain)
    answer = get(gateway.address, name)
    assert (answer.status, answer.body) == ("HTTP/1.1 404 Not Found", b"")
    assert answer.names == ("date", "server", "content-length")


@pytest.mark.covers("gateway", "requests that are refused", recording="05-gateway/responses")
@pytest.mark.parametrize(
    ("raw", "status", "names", "body"),
    [
        (
            b"GET / HTTP/1.1\r\n\r\n",
            "400 Bad Request",
            ("date", "server", "connection", "content-length"),
            b"",
        ),
        (b"GET / HTTP/1.0\r\n\r\n", "426 Upgrade Required", REFUSED, b"Upgrade Required"),
        (b"HELLO\r\n\r\n", "400 Bad Request", REFUSED, b"Bad Request"),
        (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request", REFUSED, b"Bad Request"),
        (b"\x16\x03\x01\x00\x05hello", "400 Bad Request", REFUSED, b"Bad Request"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * 70_000 + b"\r\n\r\n",
            "431 Request Header Fields Too Large",
            REFUSED,
            b"Request Header Fields Too Large",
        ),
    ],
)
def test_requests_that_are_refused(
    gateway: Gateway, raw: bytes, status: str, names: tuple[str, ...], body: bytes
) -> None:
    answer = exchange(gateway.address, raw)
    assert (answer.status, answer.names, answer.body) == (f"HTTP/1.1 {status}", names, body)


@pytest.mark.covers("gateway", "what the proxies add", recording="05-gateway/responses")
def test_what_the_proxies_add(gateway: Gateway) -> None:
    seen = gateway.seen()
    node, activator = seen.pop("X-Forwarded-For")[0].split(", ")
    assert node != activator
    assert len(seen.pop("X-Request-Id")[0]) == len("f0dd67d8-03f1-4af8-b8e8-5972173ba0a0")
    assert seen == {
        "Forwarded": [f"for={node};proto=http"],
        "K-Proxy-Request": ["activator"],
        "X-Forwarded-Proto": ["http"],
    }


@pytest.mark.covers(
    "gateway", "what a client says of its way is passed on", recording="05-gateway/responses"
)
def test_what_a_client_says_of_its_way_is_passed_on(gateway: Gateway) -> None:
    seen = gateway.seen(
        "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
        "Forwarded: for=9.9.9.9", "X-Request-Id: my-id-1", "User-Agent: lab/1",
    )  # fmt: skip
    assert seen.pop("X-Forwarded-For")[0].startswith("1.2.3.4, ")
    assert seen == {
        "Forwarded": ["for=9.9.9.9"],
        "K-Proxy-Request": ["activator"],
        "User-Agent": ["lab/1"],
        "X-Forwarded-Host": ["evil.example"],
        "X-Forwarded-Proto": ["https"],
        "X-Request-Id": ["my-id-1"],
    }


@pytest.mark.covers("gateway", "probes never reach the app", recording="05-gateway/responses")
@pytest.mark.parametrize(
    ("header", "status", "body"),
    [
        ("K-Network-Probe: queue", "400 Bad Request", b'unexpected probe header value: "queue"\n'),
        (
            "K-Network-Probe: probe",
            "400 Bad Request",
            b'a probe request must contain a non-empty "K-Network-Hash" header\n',
        ),
        ("K-Kubelet-Probe: queue", "200 OK", b""),
        ("User-Agent: kube-probe/1.33", "200 OK", b""),
    ],
)
def test_probes_never_reach_the_app(
    gateway: Gateway, header: str, status: str, body: bytes
) -> None:
    answer = gateway.get("/headers", header)
    assert (answer.status, answer.body) == (f"HTTP/1.1 {status}", body)
    assert answer.header("x-envoy-upstream-service-time") is not None


@pytest.mark.covers("gateway", "a route shows its version to a probe")
def test_a_route_shows_its_version_to_a_probe(gateway: Gateway) -> None:
    answer = gateway.get("/", "K-Network-Probe: probe", "K-Network-Hash: override")
    assert len(answer.header("k-network-hash") or "") == 64
    assert answer.names[0] == "k-network-hash"


@pytest.mark.covers("gateway", "no answer in time", recording="05-gateway/responses")
@pytest.mark.parametrize("name", ["tmo", "start"])
def test_no_answer_in_time(gateway: Gateway, name: str) -> None:
    begin = time.monotonic()
    answer = gateway.get("/sleep?ms=5000", name=name)
    assert 0.9 < time.monotonic() - begin < 3
    assert (answer.status, answer.body) == (
        "HTTP/1.1 504 Gateway Timeout",
        b"activator request timeout",
    )
    assert answer.header("content-type") == "text/plain; charset=utf-8"


@pytest.mark.covers(
    "gateway", "a stream may last longer than the timeout", recording="05-gateway/responses"
)
def test_a_stream_may_last_longer_than_the_timeout(gateway: Gateway) -> None:
    answer = gateway.get("/stream?n=4&ms=400", name="tmo")
    assert answer.status == "HTTP/1.1 200 OK"
    assert answer.body.count(b"chunk") == 4


@pytest.mark.covers("gateway", "an answer that pauses is ended", recording="05-gateway/responses")
def test_an_answer_that_pauses_is_ended(gateway: Gateway) -> None:
    answer = gateway.get("/stream?n=2&ms=20000", name="idle")
    assert answer.status == "HTTP/1.1 200 OK"
    assert answer.body == b"8\r\nchunk 0\n\r\nf\r\nrequest timeout\r\n0\r\n\r\n"


@pytest.mark.covers("gateway", "a stream without pauses may last longer than the idle timeout")
def test_a_stream_without_pauses_may_last_longer_than_the_idle_timeout(gateway: Gateway) -> None:
    answer = gateway.get("/stream?n=6&ms=300", name="idle")
    assert answer.body.count(b"chunk") == 6
    assert b"timeout" not in answer.body


@pytest.mark.covers("gateway", "no answer within the idle timeout")
def test_no_answer_within_the_idle_timeout(gateway: Gateway) -> None:
    answer = gateway.get("/sleep?ms=20000", name="idle")
    assert (answer.status, answer.body) == (
        "HTTP/1.1 504 Gateway Timeout",
        b"request timeout",
    )


@pytest.mark.covers("gateway", "an app that hangs up", recording="05-gateway/responses")
def test_an_app_that_hangs_up(gateway: Gateway) -> None:
    answer = gateway.get("/close")
    assert (answer.status, answer.body) == ("HTTP/1.1 502 Bad Gateway", b"EOF\n")


@pytest.mark.covers("gateway", "http2 to an app that speaks http1 only")
def test_http2_to_an_app_that_speaks_http1_only(gateway: Gateway) -> None:
    answer = gateway.get("/headers", name="h2")
    assert answer.status == "HTTP/1.1 502 Bad Gateway"
    assert answer.body.startswith(b"http2: failed reading the frame payload")


@pytest.mark.covers("gateway", "the apps own status is passed on", recording="05-gateway/responses")
@pytest.mark.parametrize(("path", "status"), [("/status?code=503", "503 Service Unavailable"),
                                              ("/status?code=204", "204 No Content")])  # fmt: skip
def test_the_apps_own_status_is_passed_on(gateway: Gateway, path: str, status: str) -> None:
    assert gateway.get(path).status == f"HTTP/1.1 {status}"


@pytest.mark.covers("gateway", "large bodies both ways", recording="05-gateway/responses")
def test_large_bodies_both_ways(gateway: Gateway) -> None:
    size = 1024 * 1024
    head = f"POST /body HTTP/1.1\r\nHost: {gateway.host()}\r\nContent-Length: {size}\r\n\r\n"
    sent = exchange(gateway.address, head.encode() + b"a" * size)
    assert sent.body == b"bytes=1048576 err=<nil> te=[] cl=1048576\n"
    assert len(gateway.get(f"/big?bytes={size}").body) > size


@pytest.mark.covers("gateway", "container concurrency is a hard limit")
def test_container_concurrency_is_a_hard_limit(gateway: Gateway) -> None:
    begin = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: gateway.get("/sleep?ms=300", name="cc1"), range(3)))
    assert {answer.status for answer in answers} == {"HTTP/1.1 200 OK"}
    assert time.monotonic() - begin >= 0.9
