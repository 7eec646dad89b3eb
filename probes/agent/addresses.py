"""Addresses: of sockets, from text and to text; of the web, fit to be shown."""

from __future__ import annotations

import contextlib
import re
import socket

Address = tuple[int, tuple[object, ...]]
"""An address family and the socket address to connect to."""

_CREDENTIALS = re.compile(r"//[^/?#]*@")
_SCOPED = re.compile(r"[0-9A-Fa-f:.]+%\w+\Z")


def literal(host: str, port: int) -> Address | None:
    """`host` as a socket address if it is written as an IPv4 or IPv6 address."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return (family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
    if _SCOPED.match(host):
        # A redirect can lead to anything that looks like one: then it is a name like others.
        with contextlib.suppress(OSError):
            family, _, _, _, sockaddr = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )[0]
            return (family, sockaddr)
    return None


def parse_server(text: str) -> Address:
    """``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT`` as a socket address; port 53 if none."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.lstrip(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    address = literal(host, int(port)) if port.isdigit() and 0 < int(port) < 65536 else None
    if address is None:
        raise ValueError(f"expected ADDRESS[:PORT] of a resolver, got {text!r}")
    return address


def without_credentials(url: str) -> str:
    """A URL, also a broken or relative one, without the user and password it may hold."""
    return _CREDENTIALS.sub("//", url)


def address_text(sockaddr: tuple[object, ...]) -> str:
    """``127.0.0.1:80`` or ``[::1]:80`` for a socket address."""
    host, port = sockaddr[0], sockaddr[1]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
