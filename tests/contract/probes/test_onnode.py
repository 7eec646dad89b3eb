"""The vantage `node`: where the gateway is on it, and curl where the engine may not run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.core.dig import text_at
from harness.core.errors import ProbeError
from harness.ports import ProbeRequest, ResourceKind
from harness.timing.clock import SystemClock
from probes.onnode import CurlVantage, Ran, node_gateway, node_of
from probes.samples import read_output
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
