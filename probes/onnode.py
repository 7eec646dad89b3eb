"""The vantage `node`: inside the network of kind's node, which is a container on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.core.dig import JsonObject, mappings_at, number_at, text_at
from harness.core.errors import ProbeError
from harness.core.identity import GATEWAY_NAMESPACE, VantageIdentity
from harness.ports import Clock, KubeClient, ProbeRequest, ProbeResult, ResourceKind, Vantage
from probes.curl import curl_records, curl_script
from probes.plan import NODE
from probes.vantage import LocalVantage

_NODE = ResourceKind("", "v1", "nodes", "Node", namespaced=False)
_SERVICE = ResourceKind("", "v1", "services", "Service")
_PORTS = {"http": 80, "https": 443}
_INSPECT_TIMEOUT = 10.0


class Ran(NamedTuple):
    """What a command in the node did."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[[str], Ran]


def node_of(client: KubeClient) -> JsonObject:
    """The cluster's first node; kind's container has the node's name.

    Errors:
        ProbeError: the cluster shows no node.
    """
    nodes = client.list(_NODE)
    if not nodes:
        raise ProbeError("the cluster shows no node", mend="kubectl get nodes")
    return nodes[0]


def node_gateway(client: KubeClient, scheme: str, namespace: str = GATEWAY_NAMESPACE) -> str:
    """HOST:PORT of the gateway on the node: the node's address and the Service's NodePort.

    Errors:
        ProbeError: the gateway has no NodePort, or the node has no address.
    """
    service = client.get(_SERVICE, namespace, "kourier") or {}
    ports = [
        number_at(port, "nodePort")
        for port in mappings_at(service, "spec", "ports")
        if number_at(port, "port") == _PORTS[scheme]
    ]
    addresses = [
        text_at(address, "address")
        for address in mappings_at(node_of(client), "status", "addresses")
        if text_at(address, "type") == "InternalIP"
    ]
    if not addresses or not any(ports):
        raise ProbeError(
            f"the gateway has no NodePort for {scheme} on the node",
            mend=f"kubectl -n {namespace} get svc kourier -o yaml",
        )
    return f"{addresses[0]}:{ports[0]}"


def node_vantage(node: JsonObject, *, agent: Path, clock: Clock) -> Vantage:
    """The engine in the node's network namespace where root allows that, else curl in the node.

    Errors:
        ProbeError: the node's container cannot be found.
    """
    name = text_at(node, "metadata", "name")
    if os.geteuid() == 0 and shutil.which("nsenter"):
        namespace = f"--net=/proc/{_container_pid(name)}/ns/net"
        return LocalVantage(NODE, agent, wrapper=("nsenter", namespace, "--"))
    return CurlVantage(node=name, run=_in_container(name), clock=clock)


@dataclass(slots=True)
class CurlVantage:
    """Sends requests with the node's own curl; implements the port `Vantage`."""

    node: str
    run: Run
    clock: Clock
    name: str = NODE

    def probe(self, request: ProbeRequest) -> ProbeResult:
        """Run the plan's requests; the samples are in `request.samples` when it returns.

        Errors:
            ProbeError: the node cannot be reached, or has no curl.
        """
        plan = json.loads(request.plan)
        done = self.run(curl_script(plan))
        if done.exit_code != 0:
            raise ProbeError(f"{self.name}: {self.node}: {done.stderr.strip()}")
        lines = curl_records(done.stdout, plan, host=self.node, now=self.clock.now())
        request.samples.write_bytes(b"".join(lines))
        identity = VantageIdentity(self.name, engine="curl", host=self.node, node=self.node)
        return ProbeResult(identity, request.samples)


def _container_pid(name: str) -> int:
    try:
        done = subprocess.run(
            ["docker", "inspect", "--format", "{{.State.Pid}}", name],
            capture_output=True,
            text=True,
            timeout=_INSPECT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProbeError(f"{NODE}: docker cannot be asked for {name}: {error}") from error
    if done.returncode != 0 or not done.stdout.strip().isdecimal():
        raise ProbeError(f"{NODE}: {done.stderr.strip() or f'{name} is no container'}")
    return int(done.stdout)


def _in_container(name: str) -> Run:
    """Runs scripts in a container through testinfra."""
    import testinfra

    host = testinfra.get_host(f"docker://{name}")

    def run(script: str) -> Ran:
        done = host.run("sh -c %s", script)
        return Ran(done.rc, done.stdout, done.stderr)

    return run
