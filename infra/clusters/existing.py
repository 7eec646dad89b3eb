"""The driver for a cluster that is already there: nothing is created, nothing is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.core.errors import ClusterError, UsageError
from harness.core.identity import ClusterIdentity
from harness.ports import Clock, Cluster, ClusterRequest, Gateway
from harness.timing.clock import SystemClock
from infra.clusters.command import find_program
from infra.clusters.errors import GatewayUnreachable
from infra.clusters.gateway import (
    POD_TIMEOUT,
    answers,
    find_gateway,
    gateway_namespace,
    parse_gateway,
    port_forward,
    silent_gateway,
)
from infra.clusters.identity import ClusterApi, configured_domain, read_identity
from infra.clusters.kubeconfig import PinnedContext, kubeconfig_files, pin, whole
from infra.clusters.preflight import check_serving, ingress_class
from infra.clusters.resources import KOURIER_INGRESS_CLASS
from infra.knative.bootstrap import DEFAULT_DOMAIN, Wanted
from infra.knative.install import Installer
from infra.kube import KubernetesClient

PROVIDER: Final = "existing"
AGENT_IMAGE: Final = "dev.local/metrics-echo:dev"

Connect = Callable[[Path, str], ClusterApi]


class ExistingDriver:
    """Implements `harness.ports.ClusterDriver` for the context that a request names."""

    provider = PROVIDER

    def __init__(
        self,
        *,
        progress: Callable[[str], None] = lambda _line: None,
        chosen_because: str = "",
        clock: Clock | None = None,
        connect: Connect = KubernetesClient,
        installer: Installer | None = None,
        kubectl: Path | None = None,
    ) -> None:
        self._progress = progress
        self._chosen_because = chosen_because
        self._clock = clock or SystemClock()
        self._connect = connect
        self._installer = installer
        self._kubectl = kubectl

    @contextmanager
    def open(self, request: ClusterRequest) -> Iterator[Cluster]:
        """Look at the cluster and find its gateway; a port-forward ends with the block.

        Errors:
            UsageError: no context, or a gateway that is not HOST:PORT.
            ClusterError: one of `infra.clusters.errors`; nothing was changed.
        """
        files = _files(request)
        pinned = pin(request.context, allowed=request.allowed_contexts, files=files)
        given = parse_gateway(request.gateway) if request.gateway else None
        with whole(pinned, files) as one:
            yield from self._open(one, request, given)

    def _open(
        self, pinned: PinnedContext, request: ClusterRequest, given: Gateway | None
    ) -> Iterator[Cluster]:
        api = self._connect(pinned.kubeconfig, pinned.context)
        # A server that accepts and is silent, or somebody's login, may take a minute.
        self._progress(f"asking the cluster of context {pinned.context}")
        if request.bootstrap:
            self._install(api, pinned, request, given)
        identity = read_identity(
            api,
            provider=PROVIDER,
            name=request.name,
            context=pinned.context,
            chosen_because=self._chosen_because,
        )
        check_serving(api, identity, gateway_given=given is not None)
        with ExitStack() as stack:
            notes: tuple[str, ...] = ()
            if given:
                gateway = replace(given, namespace=gateway_namespace(api))
            else:
                gateway, notes = self._find(api, pinned, stack)
            yield self._cluster(api, pinned, identity, request, gateway, notes)

    def diagnostics(self, cluster: Cluster, folder: Path) -> None:
        """Nothing of its own: what a cluster says about itself is read through its API."""

    def _install(
        self,
        api: ClusterApi,
        pinned: PinnedContext,
        request: ClusterRequest,
        given: Gateway | None,
    ) -> None:
        if self._installer is None:
            raise ClusterError("this driver was made without an installer: it cannot bootstrap")
        # A domain that somebody configured stays, unless another is asked for.
        domain = request.domain or (None if configured_domain(api) else DEFAULT_DOMAIN)
        wanted = Wanted(domain=domain)
        if given:
            wanted = replace(wanted, gateway_answers=lambda: answers(given.host, given.http_port))
        self._installer.install(api, pinned, knative=request.knative, wanted=wanted)

    def _find(
        self, api: ClusterApi, pinned: PinnedContext, stack: ExitStack
    ) -> tuple[Gateway, tuple[str, ...]]:
        """The gateway, and what there is to say about how it was found.

        One that does not answer is what probes are for: only where nothing says where it ought
        to be is there nothing to go on with.
        """
        try:
            return find_gateway(api), ()
        except GatewayUnreachable as error:
            silence = error.message
        self._progress(f"{silence}; using kubectl port-forward")
        try:
            namespace = gateway_namespace(api)
            argv = _forwarding(pinned, self._kubectl, namespace)
            forward = stack.enter_context(port_forward(argv, namespace=namespace))
        except GatewayUnreachable as error:
            gateway = silent_gateway(api)
            if gateway is None:
                raise GatewayUnreachable(f"{silence}; {error.message}", mend=error.mend) from error
            self._progress(f"{error.message}; going on with {gateway.host}:{gateway.http_port}")
            return gateway, (silence, error.message)
        return forward, (f"{silence}; the gateway was reached by kubectl port-forward",)

    def _cluster(
        self,
        api: ClusterApi,
        pinned: PinnedContext,
        identity: ClusterIdentity,
        request: ClusterRequest,
        gateway: Gateway,
        notes: tuple[str, ...],
    ) -> Cluster:
        ingress = ingress_class(api)
        other = () if ingress == KOURIER_INGRESS_CLASS else (f"ingress class {ingress}",)
        return Cluster(
            identity=identity,
            kubeconfig=pinned.kubeconfig,
            context=pinned.context,
            gateway=gateway,
            domain=request.domain or configured_domain(api),
            capabilities=frozenset({"in-cluster", "logs", "exec", "scale-to-zero"}),
            agent_image=AGENT_IMAGE,
            notes=(*other, *notes),
        )


def _forwarding(pinned: PinnedContext, kubectl: Path | None, namespace: str) -> list[str]:
    return [
        str(kubectl or find_program("kubectl")),
        f"--kubeconfig={pinned.kubeconfig}",
        f"--context={pinned.context}",
        f"--namespace={namespace}",
        "port-forward",
        "--address=127.0.0.1",
        f"--pod-running-timeout={POD_TIMEOUT}s",
        "service/kourier",
        ":80",
    ]


def _files(request: ClusterRequest) -> tuple[Path, ...]:
    unknown = sorted(set(request.options) - {"kubeconfig"})
    if unknown:
        raise UsageError(
            f"an existing cluster has no option {', '.join(unknown)}",
            mend="leave it out, or choose the provider that has it",
        )
    given = request.options.get("kubeconfig")
    if not given:
        return kubeconfig_files()
    file = Path(given).expanduser()  # A shell leaves the ~ of `--kubeconfig=~/file` as it is.
    if not file.exists():
        raise UsageError(f"there is no kubeconfig {file}", mend="name a file that is there")
    return (file,)
