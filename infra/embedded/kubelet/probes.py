"""Probes: what to ask a container, how often, and what the answers add up to."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from infra.embedded.clock import Clock
from infra.embedded.kubelet.environment import port_number
from infra.embedded.kubelet.network import PodNetwork

Kind = Literal["Startup", "Liveness", "Readiness"]
Exec = Callable[[tuple[str, ...], float], Awaitable[tuple[int, str]]]

USER_AGENT = "kube-probe/1.33"
QUEUE_PROXY_PORT = 8012
READINESS_VARIABLE = "SERVING_READINESS_PROBE"
QUEUE_PROXY_USER_AGENT = "kube-probe//"
_FIRST_POLL, _LAST_POLL = 0.005, 0.05  # how often queue-proxy asks the app within one probe
_HEAD_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe, durations in seconds."""

    action: Mapping[str, Any]  # httpGet, tcpSocket, exec or grpc, with their parameters
    initial_delay: float = 0
    timeout: float = 1
    period: float = 10
    successes: int = 1
    failures: int = 3

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> "Probe":
        """From a container's spec, with Kubernetes' defaults."""
        actions = ("httpGet", "tcpSocket", "exec", "grpc")
        return cls(
            action={key: spec[key] for key in actions if key in spec},
            initial_delay=spec.get("initialDelaySeconds") or 0,
            timeout=spec.get("timeoutSeconds") or 1,
            period=spec.get("periodSeconds") or 10,
            successes=spec.get("successThreshold") or 1,
            failures=spec.get("failureThreshold") or 3,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """Results in a row; `verdict` changes only when a threshold is reached."""

    verdict: bool
    successes: int = 0
    failures: int = 0

    def add(self, ok: bool, probe: Probe) -> "Tally":
        """The tally after one more result."""
        if ok:
            count = self.successes + 1
            verdict = self.verdict or count >= probe.successes
            return replace(self, verdict=verdict, successes=count, failures=0)
        count = self.failures + 1
        verdict = self.verdict and count < probe.failures
        return replace(self, verdict=verdict, successes=0, failures=count)


class ProbeFailed(Exception):
    """A probe that did not succeed; the message is the one of the Unhealthy event."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is probed: a container of a pod, and how to reach it."""

    container: Mapping[str, Any]
    address: str
    network: PodNetwork
    exec: Exec
    user_agent: str = USER_AGENT

    async def ask(self, probe: Probe) -> None:
        """Run one probe; raises ProbeFailed."""
        match probe.action:
            case {"httpGet": action}:
                await self._http(action, probe.timeout)
            case {"tcpSocket": action}:
                await self._tcp(action, probe.timeout)
            case {"grpc": action}:
                await self._tcp(action, probe.timeout)
            case {"exec": action}:
                code, output = await self.exec(tuple(action.get("command") or ()), probe.timeout)
                if code != 0:
                    raise ProbeFailed(output)

    async def _tcp(self, action: Mapping[str, Any], timeout: float) -> None:
        host, port = self._host(action), port_number(self.container, action["port"])
        try:
            async with asyncio.timeout(timeout):
                (await self.network.dial(host, port)).close()
        except TimeoutError:
            raise ProbeFailed(f"dial tcp {host}:{port}: i/o timeout") from None
        except OSError as error:
            raise ProbeFailed(_dial_error(host, port, error)) from None

    async def _http(self, action: Mapping[str, Any], timeout: float) -> None:
        host, port = self._host(action), port_number(self.container, action["port"])
        path = action.get("path") or "/"
        scheme = (action.get("scheme") or "HTTP").lower()
        url = f'Get "{scheme}://{host}:{port}{path}"'
        try:
            async with asyncio.timeout(timeout):
                status = await self._get(host, port, path, action)
        except TimeoutError:
            raise ProbeFailed(
                f"{url}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            ) from None
        except OSError as error:
            raise ProbeFailed(f"{url}: {_dial_error(host, port, error)}") from None
        if not 200 <= status < 400:
            raise ProbeFailed(f"HTTP probe failed with statuscode: {status}")

    async def _get(self, host: str, port: int, path: str, action: Mapping[str, Any]) -> int:
        """The status of the answer; raises OSError also when it is not HTTP."""
        headers = {"Host": f"{host}:{port}", "User-Agent": self.user_agent, "Accept": "*/*"}
        for header in action.get("httpHeaders") or ():
            headers[header["name"]] = header["value"]
        lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        request = "\r\n".join([*lines, "Connection: close", "", ""]).encode()
        connection = await self.network.dial(host, port)
        reader, writer = await asyncio.open_connection(sock=connection, limit=_HEAD_LIMIT)
        try:
            writer.write(request)
            parts = (await reader.readline()).split()
        finally:
            writer.close()
        if len(parts) < 2 or not parts[1].isdigit():
            raise OSError("EOF" if not parts else "malformed HTTP response")
        return int(parts[1])

    def _host(self, action: Mapping[str, Any]) -> str:
        host = action.get("host") or self.address
        return self.address if host in ("127.0.0.1", "localhost") else host


def _dial_error(host: str, port: int, error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {host}:{port}: connect: connection refused"
    return str(error.strerror or error).lower()


async def ask_queue_proxy(target: Target, container: Mapping[str, Any], clock: Clock) -> None:
    """What queue-proxy's readiness probe does: ask the app again and again for a second.

    `target` is the app's container; raises ProbeFailed with the kubelet's words, who sees only
    queue-proxy.
    """
    encoded = next(
        (e.get("value") for e in container.get("env") or () if e["name"] == READINESS_VARIABLE),
        None,
    )
    app = Probe.parse(json.loads(encoded)) if encoded else None
    limit = float((container.get("readinessProbe") or {}).get("timeoutSeconds") or 1)
    pause = _FIRST_POLL
    try:
        async with asyncio.timeout(limit / clock.scale):
            while app is not None and not await _succeeds(target, app):
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_POLL)
    except TimeoutError:
        raise ProbeFailed(
            f'Get "http://{target.address}:{QUEUE_PROXY_PORT}/": context deadline exceeded'
            " (Client.Timeout exceeded while awaiting headers)"
        ) from None


async def _succeeds(target: Target, probe: Probe) -> bool:
    try:
        await target.ask(probe)
    except ProbeFailed:
        return False
    return True
