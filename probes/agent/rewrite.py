"""curl's ``--resolve`` and ``--connect-to``: where to connect, without changing what is asked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_FIELD = r"(\[[0-9A-Fa-f:.]*\]|[^:\[\]]*)"
_CONNECT_TO = re.compile(rf"{_FIELD}:(\d*):{_FIELD}:(\d*)\Z")
_RESOLVE = re.compile(rf"\+?{_FIELD}:(\d+):(.+)\Z")


@dataclass(frozen=True)
class ResolveRule:
    """`host` (or ``*``) at `port` has these addresses; nothing is asked."""

    host: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class ConnectToRule:
    """Connections to `host`:`port` go to `to_host`:`to_port`; empty and None match or keep all."""

    host: str
    port: int | None
    to_host: str
    to_port: int | None


def parse_resolve(text: str) -> ResolveRule:
    """``HOST:PORT:ADDRESS[,ADDRESS]...``; ValueError says what is wrong."""
    match = _RESOLVE.match(text)
    if not match or not match.group(1):
        raise ValueError(f"expected HOST:PORT:ADDRESS[,ADDRESS], got {text!r}")
    addresses = tuple(part.strip().strip("[]") for part in match.group(3).split(","))
    for address in addresses:
        ipaddress.ip_address(address)
    return ResolveRule(_host(match.group(1)), _port(match.group(2)) or 0, addresses)


def parse_connect_to(text: str) -> ConnectToRule:
    """``HOST1:PORT1:HOST2:PORT2``, each of which may be empty; ValueError says what is wrong."""
    match = _CONNECT_TO.match(text)
    if not match:
        raise ValueError(f"expected HOST1:PORT1:HOST2:PORT2, got {text!r}")
    host, port, to_host, to_port = match.groups()
    return ConnectToRule(_host(host), _port(port), _host(to_host), _port(to_port))


def apply_connect_to(rules: tuple[ConnectToRule, ...], host: str, port: int) -> tuple[str, int]:
    """Where a connection to `host`:`port` really goes: the first rule that matches decides."""
    for rule in rules:
        if rule.host in ("", host.lower()) and rule.port in (None, port):
            return rule.to_host or host, rule.to_port or port
    return host, port


def apply_resolve(rules: tuple[ResolveRule, ...], host: str, port: int) -> tuple[str, ...]:
    """The addresses that the plan gives for `host`:`port`; none when it gives none."""
    for rule in rules:
        if rule.host in ("*", host.lower()) and rule.port == port:
            return rule.addresses
    return ()


def _host(text: str) -> str:
    return text.strip("[]").lower()


def _port(text: str) -> int | None:
    if not text:
        return None
    port = int(text)
    if not 0 < port < 65536:
        raise ValueError(f"port {port} is not between 1 and 65535")
    return port
