"""Fixtures for tests written in Python: an open cluster and the tools that scenarios use.

The cluster is opened by the first test that asks for it, chosen by the --vpm- options, and is
let go at the end of the session. Any of these can be overridden in a conftest.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    import httpx

    from harness.core.observation import ContractObserved, ProbeObserved, ServiceObserved
    from harness.ports import Cluster, Kubectl
    from harness.run.tools import Tools


class Ksvc(Protocol):
    """Looks at a KService; with `ready`, waits for READY up to so many seconds."""

    def __call__(
        self, name: str, *, namespace: str = ..., ready: float | None = ...
    ) -> ServiceObserved: ...


class Probe(Protocol):
    """Probes a KService; keywords are the keys of a scenario's probe action."""

    def __call__(self, service: str, **action: object) -> Sequence[ProbeObserved]: ...


class RunContract(Protocol):
    """Gives a contract file to the runner: `mode` is dry (default) or exec."""

    def __call__(self, contract: Path, *, mode: str = ...) -> ContractObserved: ...


class HttpFor(Protocol):
    """An httpx client whose requests reach a KService through the gateway."""

    def __call__(self, service: str, *, namespace: str = ...) -> httpx.Client: ...


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """An open cluster, chosen by the --vpm- options."""
    from harness.app import open_cluster
    from harness.pytest_plugin import options_of

    with open_cluster(options_of(pytestconfig)) as opened:
        yield opened


@pytest.fixture(scope="session")
def vpm_tools(
    cluster: Cluster, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Tools:
    """The tools for the open cluster; what they write goes to a temporary folder."""
    from harness.app import tools_for
    from harness.pytest_plugin import options_of

    folder = tmp_path_factory.mktemp("vpm")
    return tools_for(cluster, options_of(pytestconfig), root=pytestconfig.rootpath, folder=folder)


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl, pinned to the cluster: `kubectl.run(["get", "ksvc"], timeout=10)`."""
    from harness.timing.clock import SystemClock
    from harness.toolbox import kubectl_for

    return kubectl_for(cluster, SystemClock())


@pytest.fixture(scope="session")
def ksvc(vpm_tools: Tools) -> Ksvc:
    """`ksvc("hello")` looks at a KService, `ksvc("hello", ready=60)` waits until it is READY."""

    def look(
        name: str, *, namespace: str = "default", ready: float | None = None
    ) -> ServiceObserved:
        if ready is None:
            return vpm_tools.services.read(namespace, name)
        return vpm_tools.services.wait_ready(namespace, name, timeout=ready)

    return look


@pytest.fixture(scope="session")
def probe(vpm_tools: Tools) -> Probe:
    """`probe("hello", vantages=["devbox"], requests=5)` returns what each vantage saw."""
    from harness.spec.model import ProbeAction

    def send(service: str, **action: object) -> Sequence[ProbeObserved]:
        namespace, _, name = service.rpartition("/")
        seen = vpm_tools.services.read(namespace or "default", name)
        return vpm_tools.prober.probe(seen, ProbeAction.model_validate({"service": name, **action}))

    return send


@pytest.fixture(scope="session")
def runner(vpm_tools: Tools) -> RunContract:
    """`runner(Path("apply_hello.json"))` previews a contract; `mode="exec"` executes it."""

    def run(contract: Path, *, mode: str = "dry") -> ContractObserved:
        contracts = vpm_tools.contracts
        return contracts.execute(contract) if mode == "exec" else contracts.preview(contract)

    return run


@pytest.fixture(scope="session")
def http(cluster: Cluster, vpm_tools: Tools) -> Iterator[HttpFor]:
    """`http("hello").get("/")` goes through the gateway with the KService's Host."""
    from contextlib import ExitStack

    import httpx

    gateway = f"http://{cluster.gateway.host}:{cluster.gateway.http_port}"
    with ExitStack() as clients:

        def client(service: str, *, namespace: str = "default") -> httpx.Client:
            url = httpx.URL(vpm_tools.services.read(namespace, service).url)
            made = httpx.Client(base_url=gateway, headers={"Host": url.host}, trust_env=False)
            return clients.enter_context(made)

        yield client
