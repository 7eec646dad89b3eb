"""What the activator answers to probes: kubelets', and those of routes."""

import asyncio
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

VERSION_HEADER = "x-vpm-hash"
_LIMIT = 128 * 1024


def answer(headers: Mapping[str, str]) -> bytes:
    """The answer to a probe, by its headers (names in lower case)."""
    kind = headers.get("k-network-probe")
    kubelet = "k-kubelet-probe" in headers or headers.get("user-agent", "").startswith(
        "kube-probe/"
    )
    if kind == "probe":
        if headers.get("k-network-hash"):
            return _response(200, "", {"K-Network-Hash": headers.get(VERSION_HEADER, "")})
        return _error('a probe request must contain a non-empty "K-Network-Hash" header')
    if kind == "activator":
        return _response(200, "activator", {})
    if kind is None and kubelet:
        return _response(200, "", {})
    return _error(f'unexpected probe header value: "{kind}"')


def _error(message: str) -> bytes:
    return _response(400, f"{message}\n", {"X-Content-Type-Options": "nosniff"})


def _response(status: int, body: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    if body:
        lines.append("Content-Type: text/plain; charset=utf-8")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Date: {formatdate(usegmt=True)}", f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def serve(path: str) -> asyncio.Server:
    """Answer probes on an abstract socket (`@name`)."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")[1:]
                pairs = (line.partition(":") for line in lines if line)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                if length := int(headers.get("content-length", "0")):
                    await reader.readexactly(length)
                writer.write(answer(headers))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError):
            writer.close()

    return await asyncio.start_unix_server(accept, "\0" + path.removeprefix("@"), limit=_LIMIT)
