"""Recorded HTTP exchanges with the gateway: the same bytes are sent again."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.embedded.conformance import recorded, services
from tests.embedded.conformance.guard import Refused, words
from tests.embedded.conformance.normal import differences, text, value
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.reading import document
from tests.embedded.conformance.services import RECORDED_DOMAIN

_ELSEWHERE = re.compile(
    r"direct|queue-proxy|internal gateway|TLS hello|^activator|gateway_pod_deleted"
)
_DOMAIN = "127.0.0.1.sslip.io"
_SHOWN = 2000  # characters of a body that are compared
_CHUNKED = 40  # and of one that came in chunks, of which a part was recorded
_PATIENCE = 2.0  # seconds beyond what the real cluster took


def areas(root: Path) -> Iterator[Area]:
    """The exchanges beside the recorded commands that set them up."""
    for path in sorted(root.rglob("*.json")):
        if _exchanges(path):
            name = str(path.relative_to(root).with_suffix(""))
            yield Area(name, _replayer(path), (path,), seconds=40.0)


def _exchanges(path: Path) -> dict[str, dict[str, Any]]:
    """The exchanges in a file, by name; nothing for a file of another form."""
    content = document(path)
    if not isinstance(content, dict):
        return {}
    return {
        name: exchange
        for name, exchange in content.items()
        if isinstance(exchange, dict) and _is_whole(exchange)
    }


def _is_whole(exchange: dict[str, Any]) -> bool:
    headers = exchange.get("headers") or []
    return (
        {"sent", "status_line"} <= exchange.keys()
        and all(isinstance(exchange.get(k) or "", str) for k in ("sent", "status_line", "body"))
        and isinstance(headers, list)
        and all(isinstance(header, str) for header in headers)
    )


def _torn(path: Path) -> Iterator[Case]:
    """Exchanges that are recorded in part, or in another form."""
    for name, exchange in document(path).items():
        if isinstance(exchange, dict) and "sent" in exchange and not _is_whole(exchange):
            yield Case(name, skipped="malformed: no status_line, or headers that are no list")


def _replayer(path: Path) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        if not what.cluster.embedded:
            yield Case(
                "all", skipped="the gateway's address is known for the embedded cluster only"
            )
            return
        yield from _torn(path)
        _set_up(what, path.parent)
        unknown = _provide(what, path)
        for name, exchange in _exchanges(path).items():
            if _ELSEWHERE.search(name) or not exchange.get("sent"):
                yield Case(name, skipped="was not sent to the external gateway")
            elif _from_app(exchange) and _host(exchange) in unknown:
                yield Case(name, skipped="what the recorder had applied is not in the folder")
            elif "\r\n\r\n" not in exchange["sent"]:
                yield Case(name, skipped="was recorded in part")
            else:
                yield Case(name, tuple(_compare(what, exchange)))

    return replay


def _set_up(what: Replay, folder: Path) -> bool:
    """Apply what the recorder applied before, and wait; False when nothing is known of it."""
    usual = folder / "kubectl.json"
    files = [usual] if usual.is_file() else sorted(folder.glob("*.json"))
    entries = [entry for path in files for entry in recorded.entries(path)]
    applied = False
    for entry in entries if any("kubectl apply -f -" in e.command for e in entries) else []:
        if "kubectl apply -f -" in entry.command or "create n" in entry.command:
            for namespace in set(re.findall(r"namespace: ([a-z0-9-]+)", entry.stdin)):
                what.cluster.kubectl("create", "namespace", namespace)
            with suppress(Refused):
                what.cluster.kubectl(*words(entry.command), stdin=entry.stdin)
            applied = True
    what.cluster.kubectl(
        "wait", "--for=condition=Ready", "ksvc", "--all", "-A", "--timeout=20s", timeout=60
    )
    return applied


def _provide(what: Replay, path: Path) -> set[str]:
    """Apply services that answered and are not there yet; hosts whose service is not recorded."""
    hosts = {_host(e) for e in _exchanges(path).values() if _from_app(e)} - {""}
    unknown = set()
    for host in sorted(hosts):
        if _served(what, RECORDED_DOMAIN.sub("", host)):
            continue
        found = services.manifests(what.root, path.parent)
        if services.provide(what, found, services.answering(host)) is None:
            unknown.add(host)
    return unknown


def _served(what: Replay, host: str) -> bool:
    """Whether a route of this cluster has the host."""
    name, _, namespace = host.partition(".")
    done = what.cluster.kubectl("get", "route", "-n", namespace, "-o", "jsonpath={..url}")
    return any(f"//{name}.{namespace}." in f"{url}." for url in done.out.split())


def _host(exchange: dict[str, Any]) -> str:
    """The host that was asked."""
    found = re.search(r"\r\nhost: *([^\r\n:]+)", str(exchange.get("sent")), re.IGNORECASE)
    return found[1] if found else ""


def _from_app(exchange: dict[str, Any]) -> bool:
    """Whether a service, not the gateway itself, gave the recorded answer."""
    return any(h.startswith("x-envoy-upstream-service-time") for h in exchange.get("headers") or [])


def _compare(what: Replay, exchange: dict[str, Any]) -> list[str]:
    gateway = what.cluster.info["gateway"]
    sent = exchange["sent"].replace(_DOMAIN, what.cluster.info["domain"])
    patience = exchange.get("ms", 0) / 1000 + _PATIENCE
    content = _whole(sent.encode("latin-1", "replace"))
    raw = _send(gateway["address"], gateway["http"], content, patience)
    status, headers, body = _parse(raw)
    wanted = {
        "status": exchange["status_line"],
        "headers": _names(exchange.get("headers") or []),
        "body": _body(exchange.get("body") or "", exchange.get("headers") or []),
    }
    got = {"status": status, "headers": _names(headers), "body": _body(body, headers)}
    if exchange.get("body_bytes", 0) > len(exchange.get("body") or ""):
        got["body"] = got["body"][: len(wanted["body"])]  # of which a part was recorded
    recorded = {"status", *({"headers", "body"} & exchange.keys())}
    return differences(
        {part: wanted[part] for part in recorded}, {part: got[part] for part in recorded}
    )


def _send(address: str, port: int, sent: bytes, seconds: float) -> bytes:
    """The answer to some bytes: up to its end, or what came before silence."""
    received = bytearray()
    with socket.create_connection((address, port), timeout=seconds) as connection:
        try:
            connection.sendall(sent)
            while not _complete(received, head_only=sent.startswith(b"HEAD ")):
                chunk = connection.recv(262144)
                if not chunk:
                    break
                received += chunk
        except (TimeoutError, ConnectionError):
            return bytes(received)
    return bytes(received)


def _complete(received: bytearray, *, head_only: bool) -> bool:
    end = received.find(b"\r\n\r\n")
    if end < 0 or received.startswith(b"HTTP/1.1 100"):
        return False
    head = bytes(received[:end]).lower()
    if head_only or head.startswith((b"http/1.1 204", b"http/1.1 304")):
        return True
    if b"transfer-encoding: chunked" in head:
        return received.endswith(b"0\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return length is not None and len(received) - end - 4 >= int(length[1])


def _parse(raw: bytes) -> tuple[str, list[str], str]:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return lines[0], lines[1:], body.decode("utf-8", "replace")


def _names(headers: list[str]) -> list[str]:
    return sorted({line.partition(":")[0] for line in headers})


def _whole(sent: bytes) -> bytes:
    """The request with the body that the recording leaves out."""
    head, _, body = sent.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return sent + b"x" * (int(length[1]) - len(body)) if length else sent


def _body(body: str, headers: list[str]) -> Any:
    """What of a body is compared: JSON as such, without the process's environment."""
    if any("chunked" in line.lower() for line in headers):
        return "".join(body.split("\r\n")[1::2])[:_CHUNKED]
    try:
        content = json.loads(body)
    except ValueError:
        return text(body[:_SHOWN])
    if isinstance(content, dict):
        for own in ("env", "uptime_s"):
            content.pop(own, None)
        if isinstance(content.get("remote"), str):
            content["remote"] = content["remote"].partition(":")[0]  # one app adds the port
    return value(content)
