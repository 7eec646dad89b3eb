"""Which cluster a run uses: from the caller's choices to a driver and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from harness.core.errors import UsageError, VpmError
from harness.options import RunOptions
from harness.ports import Cluster, ClusterDriver, ClusterRequest
from harness.runner.kubectl import KubectlProcess
from harness.spec.model import ClusterSpec
from harness.timing.clock import SystemClock
from infra.clusters.choose import choose
from infra.clusters.namespaces import Namespaces
from infra.knative.install import Installer
from infra.knative.manifests import read_image_map
from infra.kube import KubernetesClient

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Progress that nobody wants to see."""


@lru_cache(maxsize=8)
def choose_driver(options: RunOptions, progress: Progress = silent) -> tuple[ClusterDriver, str]:
    """The driver that the options choose, and why it is this one.

    Errors:
        UsageError: an option is missing or wrong. ClusterError: no such cluster here.
    """
    if options.cluster == "existing" and not options.context:
        raise UsageError(
            f"{options.prefix}cluster=existing needs a context by name",
            mend=f"{options.prefix}context=NAME; `kubectl config get-contexts` lists them",
        )
    if options.cluster != "existing" and (given := _of_existing(options)):
        raise UsageError(
            f"{given} belongs to an existing cluster, and the cluster is {options.cluster}",
            mend=f"leave it out, or add {options.prefix}cluster=existing",
        )
    installer = Installer(
        kubectl=lambda kubeconfig, context: KubectlProcess(
            kubeconfig=kubeconfig, context=context, clock=SystemClock()
        ),
        manifests=Path(options.bundle) if options.bundle else None,
        images=read_image_map(Path(options.image_map)) if options.image_map else {},
        progress=progress,
    )
    return choose(
        options.cluster,
        progress=progress,
        kind_bin=options.kind_bin,
        kind_download=options.kind_download,
        installer=installer,
    )


def _of_existing(options: RunOptions) -> str:
    """The options that were given and mean nothing on a cluster that is ours to start."""
    given = {"context": options.context, "kubeconfig": options.kubeconfig,
             "gateway": options.gateway}  # fmt: skip
    return ", ".join(f"{options.prefix}{name}" for name, value in given.items() if value)


def describe_choice(options: RunOptions) -> str:
    """Which cluster will be used, and why, in one line; or why none can."""
    try:
        driver, why = choose_driver(options)
    except VpmError as error:
        return f"no cluster: {error.message}"
    return f"{driver.provider} cluster ({why})"


def request_for(spec: ClusterSpec, options: RunOptions, provider: str) -> ClusterRequest:
    """What a driver is asked for: the scenario's wishes and the caller's choices."""
    return ClusterRequest(
        name=spec.name,
        knative=options.knative or spec.knative,
        context=options.context,
        allowed_contexts=tuple(pattern.replace("{name}", spec.name) for pattern in spec.contexts),
        gateway=options.gateway,
        domain=options.domain,
        # kind is built once and used again; the embedded cluster costs a second.
        keep=options.keep or ("always" if provider == "kind" else "never"),
        bootstrap=options.bootstrap,
        fresh=options.fresh,
        options=options.of_providers,
    )


class ChosenCluster:
    """Opens the cluster that the options choose for a scenario; implements ClusterOpener."""

    def __init__(self, spec: ClusterSpec, options: RunOptions, progress: Progress = silent) -> None:
        self._spec = spec
        self._options = options
        self._progress = progress

    @contextmanager
    def open(self) -> Iterator[Cluster]:
        """Choose the driver, open its cluster, and have the scenario's namespaces on it."""
        driver, _ = choose_driver(self._options, self._progress)
        with driver.open(request_for(self._spec, self._options, driver.provider)) as cluster:
            api = KubernetesClient(cluster.kubeconfig, cluster.context)
            namespaces = Namespaces(api, SystemClock(), self._progress)
            keep = self._options.keep or "never"
            with namespaces.provided(self._spec.namespaces, keep=keep):
                yield cluster

    def diagnostics(self, cluster: Cluster, folder: Path) -> None:
        """Have the driver collect what it knows."""
        driver, _ = choose_driver(self._options, self._progress)
        driver.diagnostics(cluster, folder)
