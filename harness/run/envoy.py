"""The part of Envoy's config dump that is about some routes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

ADMIN_REQUEST = "/config_dump?include_eds"
_PORT, _SOCKET = "127.0.0.1:9901", "/tmp/envoy.admin"
ASK_ADMIN = (
    "sh",
    "-c",
    f"curl -sS -m 5 'http://{_PORT}{ADMIN_REQUEST}'"
    f" || curl -sS -m 5 --unix-socket {_SOCKET} 'http://admin{ADMIN_REQUEST}'",
)
"""kourier's gateway has its admin interface on loopback or on a socket, by version, and curl."""


class NoDump(ValueError):
    """A text that is not a config dump."""


def routes_of(dump: str, *, names: Sequence[str]) -> str:
    """The virtual hosts for any of the host names, the clusters that they lead to with their
    endpoints, and all listeners' addresses, as JSON text.

    A name matches a domain that is equal to it, or that begins with it and a dot.

    Errors:
        NoDump: the text is no config dump.
    """
    try:
        value = json.loads(dump)
    except (ValueError, RecursionError) as error:
        raise NoDump(f"not JSON: {error}") from error
    if not isinstance(value, dict) or "configs" not in value:
        raise NoDump("JSON without configs")
    hosts = [host for host in _objects(value, "virtual_hosts") if _serves(host, names)]
    wanted = {name for host in hosts for name in _clusters(host)}
    clusters = [one for one in _objects(value, "cluster") if one.get("name") in wanted]
    endpoints = [
        one for one in _objects(value, "endpoint_config") if one.get("cluster_name") in wanted
    ]
    listeners = [
        {"name": one.get("name"), "address": one.get("address")}
        for one in _objects(value, "listener")
    ]
    found = {
        "asked": list(names),
        "virtual_hosts": hosts,
        "clusters": clusters,
        "endpoints": endpoints,
        "listeners": listeners,
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _serves(host: dict[str, Json], names: Sequence[str]) -> bool:
    domains = host.get("domains")
    texts = [str(one).partition(":")[0] for one in domains] if isinstance(domains, list) else []
    return any(text == name or text.startswith(f"{name}.") for text in texts for name in names)


def _clusters(host: dict[str, Json]) -> Iterator[str]:
    """The names of the clusters that the routes of a virtual host lead to."""
    for key, value in _fields(host):
        if key == "cluster" and isinstance(value, str):
            yield value
        elif key == "clusters" and isinstance(value, list):
            yield from (str(one.get("name")) for one in value if isinstance(one, dict))


def _objects(value: Json, wanted: str) -> Iterator[dict[str, Json]]:
    """Every object that a field of this name holds, alone or in a list."""
    for key, found in _fields(value):
        if key == wanted:
            held = found if isinstance(found, list) else [found]
            yield from (one for one in held if isinstance(one, dict))


def _fields(value: Json) -> Iterator[tuple[str, Json]]:
    """Every field below a value, with its name."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield from current.items()
            waiting.extend(reversed(list(current.values())))
        elif isinstance(current, list):
            waiting.extend(reversed(current))
