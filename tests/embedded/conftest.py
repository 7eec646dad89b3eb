"""One cluster per worker for the cases of this folder.

`VPM_TEST_KUBECONFIG=FILE` (or `--vpm-cluster=existing` with it) runs the same cases against the
cluster that the file names; cases that need the emulator's own process are then skipped.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.embedded.coverage import Behaviour, note
from tests.support.cluster import Cluster, Ran, existing, serve

KUBECONFIG = "VPM_TEST_KUBECONFIG"
COVERAGE = "VPM_COVERAGE"
_passed = pytest.StashKey[list[Behaviour]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "covers(area, what, recording=''): the behaviour that this case asserts"
    )
    config.stash[_passed] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember what the cases that passed cover."""
    report = yield
    if report.when == "call" and report.passed:
        case = f"{item.path.name}::{item.name}"
        for mark in item.iter_markers("covers"):
            area, what = mark.args
            recording = mark.kwargs.get("recording", "")
            item.config.stash[_passed].append(Behaviour(area, what, case, recording))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Note what passed, where that was asked for."""
    target = os.environ.get(COVERAGE)
    passed = session.config.stash[_passed]
    if target and passed:
        note(Path(target), secrets.token_hex(8), passed)


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The cluster under test, shared by all cases of a worker."""
    given = os.environ.get(KUBECONFIG)
    if given:
        yield existing(given)
        return
    if request.config.getoption("--vpm-cluster", default=None) == "existing":
        pytest.exit(f"--vpm-cluster=existing needs {KUBECONFIG} to name a kubeconfig", returncode=2)
    folder = tmp_path_factory.mktemp("cluster") / "state"
    with serve(folder, f"test-{secrets.token_hex(3)}") as running:
        yield running


@pytest.fixture
def own(cluster: Cluster) -> Cluster:
    """The cluster, for cases that need it to be the emulator's own."""
    if not cluster.embedded:
        pytest.skip("needs the embedded cluster's own process")
    return cluster


@pytest.fixture
def kubectl(cluster: Cluster) -> Callable[..., Ran]:
    """The real kubectl against the cluster."""
    return cluster.kubectl


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the case's own, removed afterwards."""
    name = f"case-{secrets.token_hex(4)}"
    assert cluster.kubectl("create", "namespace", name).code == 0
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def http(cluster: Cluster) -> Iterator[httpx.Client]:
    """A client of the API itself, with the kubeconfig's token."""
    with cluster.http() as client:
        yield client
