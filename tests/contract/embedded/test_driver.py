"""The embedded driver against a stand-in server: real processes, pipes, locks and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import ClusterError, UsageError
from harness.ports import ClusterRequest
from harness.timing.clock import SystemClock
from infra.clusters.embedded import EmbeddedDriver, running_instance
from infra.clusters.embedded_process import ProcessId, end, parse_ready_file
from infra.clusters.state import ClusterFolder, remembered
from tests.support.wait import eventually

STAND_IN = (sys.executable, str(Path(__file__).parents[2] / "support" / "api_server.py"))


@pytest.fixture
def driver(tmp_path: Path) -> EmbeddedDriver:
    return EmbeddedDriver(home=tmp_path, program=STAND_IN, chosen_because="a test asks for it")


@pytest.fixture
def end_kept(tmp_path: Path) -> Callable[[], None]:
    """Ends every kept instance below the test's home."""

    def end_all() -> None:
        for folder, _ in remembered(tmp_path):
            if found := running_instance(folder.path / "data"):
                end(found[1], clock=SystemClock())

    return end_all


def request(**changes: object) -> ClusterRequest:
    return ClusterRequest(**{"name": "vpm-mini", **changes})


def server_of(kubeconfig: Path) -> ProcessId:
    info = parse_ready_file((kubeconfig.parent / "cluster.json").read_text())
    process = ProcessId.of(info.pid)
    assert process is not None
    return process


def test_a_cluster_that_is_not_kept_leaves_nothing(driver: EmbeddedDriver, tmp_path: Path) -> None:
    with driver.open(request()) as cluster:
        process = server_of(cluster.kubeconfig)
        assert cluster.identity.emulator
        assert cluster.identity.chosen_because == "a test asks for it"
        assert cluster.identity.knative_version == "1.18.2"
        assert cluster.identity.details == {"pod_network": "loopback", "time_scale": "1"}
        assert (cluster.gateway.host, cluster.gateway.http_port) == ("127.9.9.9", 80)
        assert cluster.context == "embedded-vpm-mini"
        assert cluster.faults is not None
    assert not process.alive()
    assert not cluster.kubeconfig.parent.exists()
    assert not list(remembered(tmp_path))


def test_an_exception_in_the_block_leaves_nothing_either(driver: EmbeddedDriver) -> None:
    seen: list[Path] = []

    def interrupted() -> None:
        with driver.open(request()) as cluster:
            seen.append(cluster.kubeconfig)
            processes.append(server_of(cluster.kubeconfig))
            raise KeyboardInterrupt

    processes: list[ProcessId] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not processes[0].alive()
    assert not seen[0].parent.exists()


def test_a_kept_cluster_is_found_again(
    driver: EmbeddedDriver, end_kept: Callable[[], None]
) -> None:
    try:
        with driver.open(request(keep="always")) as first:
            pass
        with driver.open(request()) as second:  # Even by a run that keeps nothing of its own.
            assert second.identity.uid == first.identity.uid
        assert server_of(first.kubeconfig).alive()
        with driver.open(request(fresh=True)) as third:
            assert third.identity.uid != first.identity.uid
    finally:
        end_kept()


def test_two_runs_at_once_get_an_instance_each(
    driver: EmbeddedDriver, end_kept: Callable[[], None]
) -> None:
    try:
        with (
            driver.open(request(keep="always")) as first,
            driver.open(request(keep="always")) as second,
        ):
            names = (first.identity.name, second.identity.name)
            assert names == ("vpm-mini", "vpm-mini-2")
            assert first.identity.uid != second.identity.uid
    finally:
        end_kept()


def test_on_failure_keeps_only_what_failed(
    driver: EmbeddedDriver, tmp_path: Path, end_kept: Callable[[], None]
) -> None:
    with driver.open(request(keep="on-failure")) as passed:
        process = server_of(passed.kubeconfig)
    assert not process.alive()
    assert not list(remembered(tmp_path))
    try:
        with pytest.raises(ClusterError), driver.open(request(keep="on-failure")) as failed:
            raise ClusterError("the run failed")
        assert server_of(failed.kubeconfig).alive()
    finally:
        end_kept()


def test_a_kept_cluster_that_died_is_started_again_and_kept(
    driver: EmbeddedDriver, tmp_path: Path, end_kept: Callable[[], None]
) -> None:
    try:
        with driver.open(request(keep="always")) as first:
            process = server_of(first.kubeconfig)
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: not process.alive())
        with driver.open(request(keep="always")):
            pass
        assert running_instance(
            ClusterFolder.of("embedded", "vpm-mini", home=tmp_path).path / "data"
        )
    finally:
        end_kept()


def test_a_cluster_of_another_version_is_started_again(
    driver: EmbeddedDriver, tmp_path: Path, end_kept: Callable[[], None]
) -> None:
    try:
        with driver.open(request(keep="always")) as first:
            before = server_of(first.kubeconfig)
        folder = ClusterFolder.of("embedded", "vpm-mini", home=tmp_path)
        record = folder.record()
        assert record is not None
        folder.remember(replace(record, harness_version="0.0.1"))
        with driver.open(request()) as second:
            assert not before.alive()
            assert second.context == first.context
        assert server_of(second.kubeconfig).alive()
    finally:
        end_kept()


def test_kill_9_of_the_harness_ends_the_cluster(tmp_path: Path) -> None:
    harness = textwrap.dedent(
        f"""
        import sys, time
        from harness.ports import ClusterRequest
        from infra.clusters.embedded import EmbeddedDriver
        with EmbeddedDriver(program={STAND_IN!r}).open(ClusterRequest(name="n")) as cluster:
            print(cluster.kubeconfig, flush=True)
            sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", harness],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        server = server_of(Path(process.stdout.readline().strip()))
        process.kill()
    eventually(lambda: not server.alive(), what="the server has ended")


def test_a_server_that_cannot_start_is_quoted(driver: EmbeddedDriver) -> None:
    with (
        pytest.raises(ClusterError, match="the images file is wrong"),
        driver.open(request(options={"images": "fail"})),
    ):
        pass


def test_options_of_other_providers_are_refused(driver: EmbeddedDriver) -> None:
    with (
        pytest.raises(UsageError, match="no option https-port"),
        driver.open(request(options={"https-port": "1"})),
    ):
        pass


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"name": "n", "pid": "x", "kubeconfig": "k", "gateway": {}, "domain": "d"}'],
)
def test_a_ready_file_of_another_version_is_a_clear_error(text: str) -> None:
    with pytest.raises(ClusterError, match="different versions") as caught:
        parse_ready_file(text)
    assert "cluster.json" in str(caught.value)


def test_diagnostics_have_the_servers_log(driver: EmbeddedDriver, tmp_path: Path) -> None:
    with driver.open(request()) as cluster:
        (cluster.kubeconfig.parent / "server.log").write_text("it said this\n")
        driver.diagnostics(cluster, tmp_path / "diagnostics")
    assert (tmp_path / "diagnostics" / "embedded-cluster.log").read_text() == "it said this\n"
