"""Recorded HTTP exchanges with the gateway: the same bytes are sent again."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.embedded.conformance.normal import differences, text
from tests.embedded.conformance.outcome import Area, Case, Replay

_ELSEWHERE = re.compile(r"direct|queue-proxy|internal gateway|TLS hello")
_DOMAIN = "127.0.0.1.sslip.io"
_TIMEOUT = 15.0


def areas(root: Path) -> Iterator[Area]:
    """The exchanges beside the recorded commands that set them up."""
    for path in sorted(root.rglob("responses.json")):
        yield Area(f"{path.parent.relative_to(root)}/responses", _replayer(path))


def _replayer(path: Path) -> Any:
    def replay(what: Replay) -> Iterator[Case]:
        if not what.cluster.embedded:
            yield Case(
                "all", skipped="the gateway's address is known for the embedded cluster only"
            )
            return
        _set_up(what, path.with_name("kubectl.json"))
        for name, exchange in json.loads(path.read_text()).items():
            if _ELSEWHERE.search(name) or not exchange.get("sent"):
                yield Case(name, skipped="was not sent to the external gateway")
            else:
                yield Case(name, tuple(_compare(what, exchange)))

    return replay


def _set_up(what: Replay, commands: Path) -> None:
    """Apply what the recorder applied before, and wait for it."""
    for entry in json.loads(commands.read_text()) if commands.exists() else []:
        if "kubectl apply -f -" in entry["cmd"] or "create n" in entry["cmd"]:
            arguments = entry["cmd"].split()[1:]
            what.cluster.kubectl(*arguments, stdin=entry.get("stdin") or "")
    what.cluster.kubectl(
        "wait", "--for=condition=Ready", "ksvc", "--all", "-A", "--timeout=20s", timeout=60
    )


def _compare(what: Replay, exchange: dict[str, Any]) -> list[str]:
    gateway = what.cluster.info["gateway"]
    sent = exchange["sent"].replace(_DOMAIN, what.cluster.info["domain"])
    raw = _send(gateway["address"], gateway["http"], sent.encode("latin-1", "replace"))
    status, headers, body = _parse(raw)
    wanted = {
        "status": exchange["status_line"],
        "headers": _names(exchange.get("headers") or []),
        "body": _body(exchange.get("body") or ""),
    }
    return differences(wanted, {"status": status, "headers": _names(headers), "body": _body(body)})


def _send(address: str, port: int, sent: bytes) -> bytes:
    with socket.create_connection((address, port), timeout=_TIMEOUT) as connection:
        connection.sendall(sent)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
                if _complete(received):
                    break
        except TimeoutError:
            return received
        return received


def _complete(received: bytes) -> bool:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    if b"chunked" in head.lower():
        return body.endswith(b"0\r\n\r\n")
    return length is not None and len(body) >= int(length[1])


def _parse(raw: bytes) -> tuple[str, list[str], str]:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return lines[0], lines[1:], body.decode("utf-8", "replace")


def _names(headers: list[str]) -> list[str]:
    return sorted({line.partition(":")[0] for line in headers})


def _body(body: str) -> str:
    return text(body)[:200]
