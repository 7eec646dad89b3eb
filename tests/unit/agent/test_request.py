"""What is sent, and where redirects lead."""

from __future__ import annotations

import pytest

from probes.agent.addresses import without_credentials
from probes.agent.http1 import Head
from probes.agent.plan import USER_AGENT, Target
from probes.agent.request import Request, make_request, redirected, request_of


def lines_of(request: Request) -> list[str]:
    return request.wire.decode().split("\r\n")


def test_a_plain_request() -> None:
    request = request_of(Target(name="a", url="http://x.test:8080/p?q=1#f"))
    assert lines_of(request) == [
        "GET /p?q=1 HTTP/1.1",
        "Host: x.test:8080",
        f"User-Agent: {USER_AGENT}",
        "Accept: */*",
        "Connection: close",
        "",
        "",
    ]
    assert (request.host, request.port, request.secure) == ("x.test", 8080, False)


def test_given_headers_replace_the_probers_own() -> None:
    headers = (("host", "hello.default"), ("X-A", "b"), ("X-A", "c"))
    target = Target(
        name="a", url="https://10.0.0.1", headers=headers, method="POST", body="é", keepalive=True
    )
    request = request_of(target)
    assert lines_of(request)[0] == "POST / HTTP/1.1"
    assert [line for line in lines_of(request) if line.lower().startswith("host")] == [
        "host: hello.default"
    ]
    assert "X-A: c" in lines_of(request)
    assert "Content-Length: 2" in lines_of(request)
    assert "Connection: keep-alive" in lines_of(request)
    assert request.wire.endswith("\r\n\r\né".encode())
    assert (request.port, request.secure) == (443, True)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:81/", "[::1]:81"),
        ("http://[fe80::1%eth0]/", "[fe80::1]"),
        ("https://x:443/", "x"),
    ],
)
def test_the_host_header(url: str, host: str) -> None:
    assert f"Host: {host}" in lines_of(request_of(Target(name="a", url=url)))


@pytest.mark.parametrize("agent", [USER_AGENT])
def test_the_prober_looks_like_no_probe_that_a_gateway_answers(agent: str) -> None:
    assert not agent.lower().startswith(("kube-probe", "knative"))


def start(method: str = "POST") -> Request:
    return make_request(
        method=method,
        url="http://a.test/x/y",
        headers=(("Authorization", "secret"), ("X-A", "b")),
        body=b"data" if method == "POST" else None,
        keepalive=False,
    )


@pytest.mark.parametrize(
    ("method", "status", "location", "then"),
    [
        ("GET", 302, "z", ("GET", "http://a.test/x/z", None)),
        ("GET", 301, "/z", ("GET", "http://a.test/z", None)),
        ("POST", 303, "//b.test/z", ("GET", "http://b.test/z", None)),
        ("POST", 302, "/z", ("GET", "http://a.test/z", None)),
        ("POST", 307, "/z", ("POST", "http://a.test/z", b"data")),
        ("POST", 308, "https://a.test/", ("POST", "https://a.test/", b"data")),
        ("HEAD", 302, "/z", ("HEAD", "http://a.test/z", None)),
    ],
)
def test_redirects(method: str, status: int, location: str, then: tuple[object, ...]) -> None:
    following = redirected(start(method), Head("1.1", status, {"location": location}))
    assert following is not None
    assert (following.method, following.url, following.body) == then


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("/z", True),
        ("http://b.test/", False),
        ("https://a.test/", False),
        ("http://a.test:81/", False),
    ],
)
def test_secrets_stay_with_their_host(location: str, told: bool) -> None:
    following = redirected(start(), Head("1.1", 307, {"location": location}))
    assert following is not None
    assert (("Authorization", "secret") in following.headers) is told
    assert ("X-A", "b") in following.headers


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@a.test/z", "http://a.test/z"),
        ("//user@a.test", "//a.test"),
        ("http://us@er:sec@a.test:1/@b", "http://a.test:1/@b"),
        ("http://a.test/?to=x@y", "http://a.test/?to=x@y"),
    ],
)
def test_credentials_are_neither_followed_nor_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
    following = redirected(start(), Head("1.1", 302, {"location": url}))
    assert following is not None
    assert "@a.test" not in following.url
    assert b"secret@" not in following.wire


@pytest.mark.parametrize(
    "location",
    ["", "ftp://a.test/", "javascript:x", "http://[::/", "http://a:99999/", "/é"],
)
def test_nowhere_to_go(location: str) -> None:
    assert redirected(start(), Head("1.1", 302, {"location": location})) is None


def test_only_redirects_redirect() -> None:
    assert redirected(start(), Head("1.1", 200, {"location": "/z"})) is None
    assert redirected(start(), Head("1.1", 304, {"location": "/z"})) is None
