"""The vantage `node`: where the gateway is on it, and curl where the engine may not run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.core.dig import JsonObject, text_at
from harness.core.errors import ProbeError
from harness.ports import ProbeRequest, ResourceKind, Vantage
from harness.timing.clock import SystemClock
from probes.build import cached_agent
from probes.onnode import CurlVantage, Ran, node_gateway, node_of, node_vantage
from probes.samples import read_output
from probes.vantage import LocalVantage
from tests.contract.agent import servers
from tests.contract.probes.worlds import GOOD, answering
from tests.support.fake_kube import FakeKube

NODE = ResourceKind("", "v1", "nodes", "Node", namespaced=False)
SERVICE = ResourceKind("", "v1", "services", "Service")


def cluster(*, address: str = "InternalIP", port: int = 31080) -> FakeKube:
    addresses = [{"type": "Hostname", "address": "n"}, {"type": address, "address": "172.18.0.2"}]
    return FakeKube(
        (NODE, {"metadata": {"name": "x-control-plane"}, "status": {"addresses": addresses}}),
        (
            SERVICE,
            {
                "metadata": {"name": "kourier", "namespace": "kourier-system"},
                "spec": {"ports": [{"port": 80, "nodePort": port}, {"port": 443}]},
            },
        ),
    )


def test_the_gateway_is_at_the_nodes_address_and_node_port() -> None:
    assert node_gateway(cluster(), "http") == "172.18.0.2:31080"
    assert text_at(node_of(cluster()), "metadata", "name") == "x-control-plane"


@pytest.mark.parametrize(
    ("client", "scheme"),
    [
        (cluster(), "https"),
        (cluster(address="ExternalIP"), "http"),
        (cluster(port=0), "http"),
    ],
    ids=["no port for it", "no address", "no node port"],
)
def test_a_gateway_that_is_not_on_the_node_is_named(client: FakeKube, scheme: str) -> None:
    with pytest.raises(ProbeError, match=f"no NodePort for {scheme}"):
        node_gateway(client, scheme)


def test_a_cluster_without_nodes_says_so() -> None:
    with pytest.raises(ProbeError, match="shows no node"):
        node_of(FakeKube())


def here(script: str) -> Ran:
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False, timeout=30
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def plan(port: int) -> str:
    target: dict[str, Any] = {
        "name": "t",
        "url": f"http://127.0.0.1:{port}/",
        "requests": 2,
        "rate": 50.0,
        "timeout": 1,
    }
    return json.dumps({"version": 1, "targets": [target]})


def test_curl_on_the_node_leaves_samples_and_says_that_it_was_curl(tmp_path: Path) -> None:
    with servers.serve(answering(GOOD)) as server:
        request = ProbeRequest(plan(server.port), tmp_path / "samples", 10.0)
        result = CurlVantage("x-control-plane", here, SystemClock()).probe(request)
    assert (result.vantage.engine, result.vantage.node) == ("curl", "x-control-plane")
    with result.samples.open("rb") as lines:
        output = read_output(lines, rates={"t": 50.0})
    assert [found.sample.outcome for found in output.attempts["t"]] == ["ok", "ok"]


def test_a_node_that_cannot_be_reached_is_the_probers_error(tmp_path: Path) -> None:
    broken = CurlVantage(
        "x-control-plane", lambda _: Ran(1, "", "no such container\n"), SystemClock()
    )
    with pytest.raises(ProbeError, match="x-control-plane: no such container"):
        broken.probe(ProbeRequest(plan(1), tmp_path / "samples", 10.0))


# A network namespace with loopback up, and in it a server that nobody outside can reach.
IN_NAMESPACE = """
import fcntl, socket, struct
with socket.socket() as sock:
    fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        with sock:
            if sock.recv(65536):
                sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello")
"""


@contextmanager
def other_namespace() -> Iterator[tuple[int, int]]:
    """A process in a network namespace of its own, by its id, and its server's port there."""
    argv = ["unshare", "--net", sys.executable, "-I", "-c", IN_NAMESPACE]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as made:
        assert made.stdout is not None
        assert made.stderr is not None
        try:
            port = made.stdout.readline()
            if not port:
                pytest.skip(f"no network namespace can be made here: {made.stderr.read().strip()}")
            yield made.pid, int(port)
        finally:
            made.kill()


def outcomes(vantage: Vantage, port: int, folder: Path) -> list[str]:
    result = vantage.probe(ProbeRequest(plan(port), folder / "samples", 60.0))
    with result.samples.open("rb") as lines:
        output = read_output(lines, rates={"t": 50.0})
    return [found.sample.outcome for found in output.attempts["t"]]


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nsenter") or not shutil.which("unshare"),
    reason="entering a network namespace takes root, nsenter and unshare",
)
def test_with_root_the_engine_itself_runs_in_the_nodes_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node: JsonObject = {"metadata": {"name": "x-control-plane"}}
    with other_namespace() as (pid, port):
        docker = tmp_path / "docker"
        docker.write_text(f"#!/bin/sh\necho {pid}\n")
        docker.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        inside = node_vantage(node, agent=cached_agent(), clock=SystemClock())
        assert outcomes(inside, port, tmp_path) == ["ok", "ok"]
        here_too = LocalVantage("devbox", cached_agent())
        assert outcomes(here_too, port, tmp_path) == ["connect_refused", "connect_refused"]
