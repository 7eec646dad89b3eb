"""A service, a cluster whose gateway is a local server, and a prober on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.identity import ClusterIdentity
from harness.ports import Cluster, Gateway, KubeClient
from harness.timing.clock import SystemClock
from probes.places import ClusterPlaces
from probes.prober import Prober
from tests.contract.probes.jobs import JobCluster
from tests.contract.probes.setting import MemoryStore, ScriptedKubectl


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def make_cluster() -> Callable[..., Cluster]:
    def make(port: int, *, emulator: bool = True) -> Cluster:
        identity = ClusterIdentity("fake", "x", "x", "u", "1.33", "1.18", emulator=emulator)
        return Cluster(
            identity,
            Path("/nonexistent"),
            "x",
            Gateway("127.0.0.1", port),
            "127.0.0.1.sslip.io",
            agent_image="dev.local/metrics-echo:dev",
        )

    return make


@pytest.fixture
def make_prober(
    store: MemoryStore, make_cluster: Callable[..., Cluster], tmp_path: Path
) -> Callable[..., Prober]:
    def make(port: int, *, client: KubeClient | None = None, emulator: bool = True) -> Prober:
        cluster, clock = make_cluster(port, emulator=emulator), SystemClock()
        places = ClusterPlaces(
            cluster=cluster,
            client=client or JobCluster(tmp_path),
            kubectl=ScriptedKubectl(),
            clock=clock,
        )
        return Prober(places=places, store=store, clock=clock)

    return make
