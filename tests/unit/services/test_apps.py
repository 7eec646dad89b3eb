"""The sample services' handlers."""

import json

import pytest

from infra.services.hello import app as hello
from infra.services.hello import lab
from infra.services.http1 import Request, Response
from infra.services.metrics_echo import app as metrics_echo

ENVIRONMENT = {
    "TARGET": "vpm-mini",
    "K_SERVICE": "metrics-echo",
    "K_REVISION": "metrics-echo-00001",
}


def request(target: str = "/", method: str = "GET", body: bytes = b"") -> Request:
    return Request(method, target, "HTTP/1.1", (("Host", "h"), ("X-A", "1")), body, "10.0.0.1")


def text(response: Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.decode()


@pytest.mark.parametrize("path", ["/", "/anything", "/a?b=c"])
def test_hello_greets_its_target(path: str) -> None:
    assert text(hello.handler({"TARGET": "World"})(request(path))) == "Hello World!\n"


def test_hello_greets_the_world_by_default() -> None:
    assert text(hello.handler({})(request())) == "Hello World!\n"


def test_metrics_echo_says_who_answered() -> None:
    service = metrics_echo.MetricsEcho(ENVIRONMENT, now=lambda: 1700000000.9)
    assert text(service(request("/any"))) == (
        "metrics-echo ok ts=1700000000 target=vpm-mini"
        " service=metrics-echo revision=metrics-echo-00001\n"
    )


def test_metrics_echo_echoes_the_request() -> None:
    service = metrics_echo.MetricsEcho({})
    document = json.loads(text(service(request("/echo?x=1", "POST", b"hi"))))
    assert document == {
        "method": "POST",
        "path": "/echo?x=1",
        "headers": {"host": "h", "x-a": "1"},
        "body": "hi",
    }


def test_metrics_echo_counts_what_it_answered() -> None:
    service = metrics_echo.MetricsEcho({})
    for path in ("/", "/healthz", "/delay?ms=x"):
        service(request(path))
    metrics = text(service(request("/metrics")))
    assert 'metrics_echo_requests_total{method="GET",code="200"} 2\n' in metrics
    assert 'metrics_echo_requests_total{method="GET",code="400"} 1\n' in metrics


@pytest.mark.parametrize("ms", ["-1", "x", "600001", "1.5"])
def test_metrics_echo_refuses_odd_delays(ms: str) -> None:
    response = metrics_echo.MetricsEcho({})(request(f"/delay?ms={ms}"))
    assert (response.status, "ms must be 0 to 600000" in text(response)) == (400, True)


def test_the_lab_greets_on_unknown_paths_and_answers_on_known_ones() -> None:
    service = lab.handler({"TARGET": "Echo"})
    assert text(service(request("/nope"))) == "Hello Echo!\n"
    assert service(request("/status?code=503")).status == 503
    assert text(service(request("/body", "POST", b"abc"))) == "bytes=3 err=<nil> te=[] cl=-1\n"


def test_the_lab_shows_headers_as_go_spells_them() -> None:
    document = json.loads(text(lab.handler({})(request("/headers"))))
    assert document["headers"] == {"X-A": ["1"]}
    assert document["host"] == "h"


def test_the_lab_can_be_unready() -> None:
    service = lab.handler({"MODE": "notready"})
    assert (service(request("/")).status, service(request("/headers")).status) == (503, 200)


@pytest.mark.parametrize("target", ["/status?code=x", "/sleep?ms=x", "/stream?n=x"])
def test_the_lab_refuses_odd_parameters(target: str) -> None:
    assert lab.handler({})(request(target)).status == 400
