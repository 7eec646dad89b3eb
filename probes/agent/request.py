"""HTTP/1.1 requests: what is sent, and where a redirect leads."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from .addresses import without_credentials
from .http1 import Head
from .plan import USER_AGENT, Target

_DEFAULT_PORT = {"http": 80, "https": 443}
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
# What was meant for one host must not be told to another.
_PRIVATE = frozenset(("authorization", "cookie", "host", "proxy-authorization"))


@dataclass(frozen=True)
class Request:
    """One request; `wire` is what goes to the server."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    keepalive: bool
    host: str
    port: int
    secure: bool
    wire: bytes


def make_request(
    *,
    method: str,
    url: str,
    headers: tuple[tuple[str, str], ...],
    body: bytes | None,
    keepalive: bool,
) -> Request:
    """The request for `url`; the headers given replace the prober's own of the same name."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _DEFAULT_PORT[parts.scheme]
    # The zone of a link-local address means something on this machine alone.
    shown = f"[{host.partition('%')[0]}]" if ":" in host else host
    authority = shown if port == _DEFAULT_PORT[parts.scheme] else f"{shown}:{port}"
    own = [("Host", authority), ("User-Agent", USER_AGENT), ("Accept", "*/*")]
    given = {name.lower() for name, _ in headers}
    lines = [f"{method} {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in own if name.lower() not in given]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None or method in _WITH_BODY:
        lines.append(f"Content-Length: {len(body or b'')}")
    lines.append(f"Connection: {'keep-alive' if keepalive else 'close'}")
    wire = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")
    secure = parts.scheme == "https"
    return Request(method, url, headers, body, keepalive, host, port, secure, wire)


def request_of(target: Target) -> Request:
    """The request that `target` asks for."""
    return make_request(
        method=target.method,
        url=target.url,
        headers=target.headers,
        body=_body_of(target),
        keepalive=target.keepalive,
    )


def _body_of(target: Target) -> bytes | None:
    if target.body is None and not target.body_fill:
        return None
    return (target.body or "").encode() + b"x" * target.body_fill


def redirected(request: Request, head: Head) -> Request | None:
    """The request that the answer `head` sends the client on to; None if it does not."""
    location = head.fields.get("location")
    if head.status not in _REDIRECTS or not location:
        return None
    try:
        url = without_credentials(urljoin(request.url, location))
        parts = urlsplit(url)
        usable = parts.scheme in _DEFAULT_PORT and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    if not usable or not url.isascii() or any(c <= " " for c in url):
        return None
    port = parts.port or _DEFAULT_PORT[parts.scheme]
    same = (parts.hostname, port, parts.scheme == "https") == (
        request.host,
        request.port,
        request.secure,
    )
    kept = head.status in (307, 308) or request.method in ("GET", "HEAD")
    return make_request(
        method=request.method if kept else "GET",
        url=url,
        headers=tuple(
            (name, value) for name, value in request.headers if same or name.lower() not in _PRIVATE
        ),
        body=request.body if kept else None,
        keepalive=request.keepalive,
    )
