"""Where kourier's gateway is reached from this machine: asked of the API, proven by a request."""

from __future__ import annotations

import http.client
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from harness.core.errors import UsageError
from harness.ports import Gateway, JsonObject, KubeClient
from infra.clusters.errors import GatewayUnreachable
from infra.clusters.resources import (
    DEPLOYMENT,
    KOURIER_NAMESPACE,
    KOURIER_SERVICE,
    NODE,
    SERVICE,
    SERVING_NAMESPACE,
    dig,
)
from infra.kube import ApiError

_UNKNOWN_HOST: Final = "no-such-service.vpm.invalid"
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_FORWARD_TIMEOUT: Final = 20.0
_MOST_NODES: Final = 3  # Every node forwards a NodePort: where some are silent, so are the others.
_FORBIDDEN: Final = 403
_CONTROLLER: Final = "net-kourier-controller"
_NAMED_IN: Final = "KOURIER_GATEWAY_NAMESPACE"
POD_TIMEOUT: Final = 5  # seconds that kubectl waits for a gateway's pod to forward to


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where the gateway may be, and why it may be there."""

    host: str
    port: int
    because: str


def parse_gateway(text: str) -> Gateway:
    """`HOST:PORT` (or `[ADDRESS]:PORT`) as a gateway.

    Errors:
        UsageError: it is something else.
    """
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = bare != host
    if not colon or not bare or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{text!r} is not HOST:PORT", mend="for example 127.0.0.1:80")
    if ":" in bare and not bracketed:
        raise UsageError(f"{text!r} has an IPv6 address without brackets", mend=f"[{host}]:{port}")
    return Gateway(host=bare, http_port=int(port))


def candidates(
    service: JsonObject | None, nodes: Sequence[JsonObject], *, mapped: Sequence[Candidate] = ()
) -> tuple[Candidate, ...]:
    """Where the gateway may be, best first: LoadBalancer, known port mappings, NodePorts."""
    balancers = dig(service, "status", "loadBalancer", "ingress") or ()
    addresses = [entry.get("ip") or entry.get("hostname") for entry in balancers]
    found = [Candidate(host, 80, "LoadBalancer address") for host in addresses if host]
    found.extend(mapped)
    node_port = http_node_port(service)
    if node_port:
        found.extend(
            Candidate(address["address"], node_port, f"NodePort {node_port}")
            for kind in ("ExternalIP", "InternalIP")
            for node in nodes
            for address in dig(node, "status", "addresses") or ()
            if address["type"] == kind
        )
    return tuple(dict.fromkeys(found))


def http_node_port(service: JsonObject | None) -> int | None:
    """The NodePort of the Service's port 80, if it has one."""
    ports = dig(service, "spec", "ports") or ()
    return next((port.get("nodePort") for port in ports if port.get("port") == 80), None)


def answers(host: str, port: int, *, timeout: float = 2.0) -> str | None:
    """Why this is not a gateway, or None when it is: envoy answers 404 for an unknown host."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/", headers={"Host": _UNKNOWN_HOST})
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    server = response.getheader("server", "")
    if response.status == 404 and server == "envoy":
        return None
    return f"answered {response.status} from {server or 'an unnamed server'}, not 404 from envoy"


def date_of(host: str, port: int, *, timeout: float = 2.0) -> datetime | None:
    """What time it is for the gateway, to the second; None when it does not say."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("HEAD", "/", headers={"Host": _UNKNOWN_HOST})
        date = connection.getresponse().getheader("date")
        return parsedate_to_datetime(date) if date else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def find_gateway(
    api: KubeClient,
    *,
    mapped: Sequence[Candidate] = (),
    check: Callable[[str, int], str | None] = answers,
) -> Gateway:
    """The first candidate that really answers as a gateway.

    Errors:
        GatewayUnreachable: none does; the message says what was tried.
    """
    namespace = gateway_namespace(api)
    service = api.get(SERVICE, namespace, KOURIER_SERVICE)
    tried: list[str] = []
    for candidate in candidates(service, _nodes(api, service), mapped=mapped):
        problem = check(candidate.host, candidate.port)
        if problem is None:
            return Gateway(candidate.host, candidate.port, namespace=namespace)
        tried.append(f"{candidate.because} {candidate.host}:{candidate.port}: {problem}")
    if service is None:
        tried.append(f"Service {namespace}/{KOURIER_SERVICE} does not exist")
    raise GatewayUnreachable(
        "no gateway answers from this machine: " + ("; ".join(tried) or "nowhere to look"),
        mend="--vpm-gateway HOST:PORT, or give the Service an address that this machine reaches",
    )


def silent_gateway(api: KubeClient) -> Gateway | None:
    """Where the gateway ought to be, whether or not it answers there; None: nothing says where."""
    namespace = gateway_namespace(api)
    service = api.get(SERVICE, namespace, KOURIER_SERVICE)
    first = next(iter(candidates(service, _nodes(api, service))), None)
    return Gateway(first.host, first.port, namespace=namespace) if first else None


def gateway_namespace(api: KubeClient) -> str:
    """Where kourier's gateway is, as its controller says; else where a release puts it."""
    try:
        controller = api.get(DEPLOYMENT, SERVING_NAMESPACE, _CONTROLLER)
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return KOURIER_NAMESPACE
    named = [
        variable["value"]
        for container in dig(controller, "spec", "template", "spec", "containers") or ()
        for variable in container.get("env") or ()
        if variable["name"] == _NAMED_IN and variable.get("value")
    ]
    return str(named[0]) if named else KOURIER_NAMESPACE


def _nodes(api: KubeClient, service: JsonObject | None) -> Sequence[JsonObject]:
    """Some nodes at which a NodePort may answer; none where this user may not see nodes."""
    if http_node_port(service) is None:
        return ()
    try:
        return api.list(NODE)[:_MOST_NODES]
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return ()


@contextmanager
def port_forward(argv: Sequence[str], *, namespace: str = KOURIER_NAMESPACE) -> Iterator[Gateway]:
    """`kubectl port-forward` for the time of a with block; `argv` ends with `:80`.

    `namespace` is the gateway's.

    Errors:
        GatewayUnreachable: kubectl ended, or named no port in time.
    """
    with subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(_FORWARD_TIMEOUT, process.kill)
        watchdog.start()
        try:
            said: list[str] = []
            port = 0
            for raw in process.stdout:
                line = raw.decode(errors="replace").strip()
                said.append(line)
                if match := _FORWARDING.search(line):
                    port = int(match.group(1))
                    break
            watchdog.cancel()
            if not port:
                why = " / ".join(said[-3:]) or f"it named no port in {_FORWARD_TIMEOUT:.0f} s"
                raise GatewayUnreachable(
                    f"kubectl port-forward to the gateway failed: {why}",
                    mend="--vpm-gateway HOST:PORT",
                )
            drain = threading.Thread(target=process.stdout.read, daemon=True)
            drain.start()
            yield Gateway("127.0.0.1", port, forwarded=True, namespace=namespace)
        finally:
            watchdog.cancel()
            process.terminate()
