"""The driver of the embedded cluster: one process per cluster, kept or thrown away."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness import __version__
from harness.core.errors import ClusterError, UsageError
from harness.ports import Clock, Cluster, ClusterRequest
from harness.timing.clock import SystemClock
from infra.clusters.embedded_diagnostics import collect
from infra.clusters.embedded_process import (
    PROGRAM,
    READY_FILE,
    LaunchOptions,
    ProcessId,
    ServerInfo,
    end,
    launch,
    parse_ready_file,
    wait_ready,
)
from infra.clusters.faults import EmulatorFaults
from infra.clusters.identity import read_identity
from infra.clusters.owner import label_owner
from infra.clusters.resources import FAULT
from infra.clusters.state import ClusterFolder, CreatedCluster
from infra.kube import KubernetesClient, warm_up

PROVIDER: Final = "embedded"
AGENT_IMAGE: Final = "dev.local/metrics-echo:dev"
CAPABILITIES: Final = frozenset({"in-cluster", "logs", "exec", "scale-to-zero", "owned"})
_OPTIONS: Final = ("address", "port", "time-scale", "images")
_MAX_INSTANCES: Final = 100

Progress = Callable[[str], None]


class EmbeddedDriver:
    """Implements `harness.ports.ClusterDriver` with `python -m infra.embedded serve`.

    A cluster that was kept is found again by its name. While it is in use, another run gets an
    instance of its own, whose name has a number behind it.
    """

    provider = PROVIDER

    def __init__(
        self,
        *,
        progress: Progress = lambda _line: None,
        chosen_because: str = "",
        home: Path | None = None,
        clock: Clock | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._progress = progress
        self._chosen_because = chosen_because
        self._home = home
        self._clock = clock or SystemClock()
        self._program = program

    @contextmanager
    def open(self, request: ClusterRequest) -> Iterator[Cluster]:
        """Start (or find) the cluster, and end it afterwards as `request.keep` says.

        keep=never removes what this call started, keep=always leaves it running, and
        keep=on-failure leaves it running when the block ends with an exception. A cluster that
        was found running is left as it was.

        Errors:
            ClusterError: not Linux, or the cluster did not start.
            UsageError: an option that this provider does not have.
        """
        if not sys.platform.startswith("linux"):
            raise ClusterError(
                "the embedded cluster needs Linux (an address of 127.0.0.0/8 for each pod)",
                mend="choose --vpm-cluster=kind or --vpm-cluster=existing, or use a Linux machine",
            )
        arguments = _arguments(request)
        throwaway = request.keep == "never" and not self._kept_and_free(request)
        with (self._throwaway if throwaway else self._durable)(request, arguments) as cluster:
            yield cluster

    def diagnostics(self, cluster: Cluster, folder: Path) -> None:
        """Copy the logs of the server and its gateway into `folder`, and Envoy's config dump."""
        collect(cluster.kubeconfig.parent, folder)

    @contextmanager
    def _throwaway(self, request: ClusterRequest, arguments: Sequence[str]) -> Iterator[Cluster]:
        folder = Path(tempfile.mkdtemp(prefix="vpm-"))
        options = LaunchOptions(folder, request.name, True, arguments, self._program)
        try:
            process, lifeline = launch(options)
            try:
                yield self._cluster(self._serving(process, folder))
            finally:
                end(process, clock=self._clock)
                lifeline.release()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _durable(self, request: ClusterRequest, arguments: Sequence[str]) -> Iterator[Cluster]:
        for number in range(1, _MAX_INSTANCES):
            name = request.name if number == 1 else f"{request.name}-{number}"
            folder = ClusterFolder.of(PROVIDER, name, home=self._home)
            with folder.locked() as mine:
                if mine and not (request.fresh and folder.record()):
                    with self._kept(folder, name, request.keep, arguments) as cluster:
                        yield cluster
                    return
        raise ClusterError(
            f"{_MAX_INSTANCES} embedded clusters named {request.name} are in use",
            mend="end some of them: vpm cluster list, vpm cluster down NAME",
        )

    @contextmanager
    def _kept(
        self, folder: ClusterFolder, name: str, keep: str, arguments: Sequence[str]
    ) -> Iterator[Cluster]:
        """One instance below its own folder, whose lock is held by the caller."""
        state = folder.path / "data"
        record = folder.record()
        found = running_instance(state)
        if found and record and record.harness_version != __version__:
            self._progress(f"starting {name} again: vpm {record.harness_version} had started it")
            end(found[1], clock=self._clock)
            found = None
        if found:
            self._progress(f"using the embedded cluster {name} that was kept")
            yield self._cluster(found[0])
            return
        keeping = keep == "always" or record is not None
        options = LaunchOptions(state, name, False, arguments, self._program)
        process, lifeline = launch(options)
        try:
            cluster = self._cluster(self._serving(process, state))
            self._remember(folder, cluster)
            yield cluster
        except BaseException:
            keeping = keep != "never" and folder.record() is not None
            raise
        finally:
            if not keeping:
                end(process, clock=self._clock)
                folder.forget()
                shutil.rmtree(state, ignore_errors=True)
            lifeline.release()

    def _serving(self, process: ProcessId, folder: Path) -> ServerInfo:
        began = self._clock.monotonic()
        self._progress("starting the embedded cluster")
        warm_up()  # The client's import takes as long as the server's start: do both at once.
        info = wait_ready(process, folder, clock=self._clock)
        took = self._clock.monotonic() - began
        self._progress(f"the embedded cluster serves at {info.gateway.host} after {took:.1f} s")
        return info

    def _cluster(self, info: ServerInfo) -> Cluster:
        api = KubernetesClient(info.kubeconfig, info.context, clock=self._clock)
        identity = read_identity(
            api,
            provider=PROVIDER,
            name=info.name,
            context=info.context,
            chosen_because=self._chosen_because,
            details={"pod_network": info.pod_network, "time_scale": f"{info.time_scale:g}"},
        )
        breakable = api.serves(FAULT)
        return Cluster(
            identity=identity,
            kubeconfig=info.kubeconfig,
            context=info.context,
            gateway=info.gateway,
            domain=info.domain,
            capabilities=CAPABILITIES | ({"faults"} if breakable else set()),
            faults=EmulatorFaults(api, self._clock) if breakable else None,
            agent_image=AGENT_IMAGE,
            notes=("an emulator, not a real cluster",),
        )

    def _remember(self, folder: ClusterFolder, cluster: Cluster) -> None:
        api = KubernetesClient(cluster.kubeconfig, cluster.context, clock=self._clock)
        owner = secrets.token_hex(8)
        label_owner(api, owner)
        folder.remember(
            CreatedCluster(
                provider=PROVIDER,
                name=cluster.identity.name,
                context=cluster.context,
                kubeconfig=str(cluster.kubeconfig),
                uid=cluster.identity.uid,
                owner=owner,
                created_at=self._clock.now().isoformat(timespec="seconds"),
                harness_version=__version__,
            )
        )

    def _kept_and_free(self, request: ClusterRequest) -> bool:
        folder = ClusterFolder.of(PROVIDER, request.name, home=self._home)
        if request.fresh or not running_instance(folder.path / "data"):
            return False
        with folder.locked() as free:
            return free


def running_instance(state: Path) -> tuple[ServerInfo, ProcessId] | None:
    """The instance that serves from this state folder now, if any does."""
    try:
        info = parse_ready_file((state / READY_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    process = ProcessId.of(info.pid)
    return (info, process) if process and process.serves(state) else None


def _arguments(request: ClusterRequest) -> list[str]:
    """The server's options for what the request asks, checked against what it has."""
    unknown = sorted(set(request.options) - set(_OPTIONS))
    if unknown:
        raise UsageError(
            f"the embedded cluster has no option {', '.join(unknown)}",
            mend=f"it has: {', '.join(_OPTIONS)}",
        )
    return [f"--{key}={value}" for key, value in sorted(request.options.items())]
