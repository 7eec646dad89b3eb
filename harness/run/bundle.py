"""The diagnostics bundle: what a person would look at next, collected while it is still broken.

Every command has a timeout and all of them together a deadline, so that a control plane or a
gateway that hangs does not hang the run. `index.txt` says what was asked and what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.core.errors import VpmError
from harness.core.identity import GATEWAY_NAMESPACE
from harness.ports import Clock, Kubectl
from harness.run.envoy import ASK_ADMIN, NoDump, routes_of
from harness.run.names import resolve
from harness.run.tools import Suspect

SECONDS = 30.0
"""All commands of a bundle together."""
COMMAND_SECONDS = 10.0
PROVIDED_DUMP = "provider/envoy-config.json"
"""Where a driver that can reach Envoy itself leaves its config dump."""
_AT_ONCE = 4
_MOST_PODS = 4
_CONTAINERS = '{range .items[*]}{.metadata.name} {.spec.containers[*].name}{"\\n"}{end}'
_PARTS = (
    "configurations.serving.knative.dev,routes.serving.knative.dev,revisions.serving.knative.dev,"
    "ingresses.networking.internal.knative.dev,serverlessservices.networking.internal.knative.dev,"
    "podautoscalers.autoscaling.internal.knative.dev,deployments,pods,services,"
    "endpointslices.discovery.k8s.io"
)
_DESCRIBED = "routes.serving.knative.dev,revisions.serving.knative.dev,deployments,pods"
_KNATIVE = ("-n", "knative-serving")
_OF_GATEWAY = "deployments,pods,services,endpointslices.discovery.k8s.io"
_CONFIGS = ("config-domain", "config-network", "config-autoscaler")


class ClusterBundle:
    """Collects what kubectl, the gateway and name servers say; implements Diagnoser."""

    def __init__(
        self,
        *,
        kubectl: Kubectl,
        clock: Clock,
        seconds: float = SECONDS,
        gateway_namespace: str = GATEWAY_NAMESPACE,
    ) -> None:
        self._kubectl = kubectl
        self._kourier = ("-n", gateway_namespace)
        self._clock = clock
        self._seconds = seconds

    def collect(self, suspects: Sequence[Suspect], folder: Path) -> None:
        """Write everything about these services, and what all share, below a folder.

        What cannot be had is said in `index.txt`; nothing is raised for it.
        """
        deadline = self._clock.monotonic() + self._seconds
        work = _Collection(self._kubectl, self._clock, deadline, folder, self._kourier)
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            lines = list(pool.map(lambda job: job(), work.jobs(suspects)))
        finally:
            pool.shutdown(cancel_futures=True)
        work.write("index.txt", "\n".join([*lines, ""]))


@dataclass(frozen=True, slots=True)
class _Collection:
    """One collection; every job returns its line of the index."""

    kubectl: Kubectl
    clock: Clock
    deadline: float
    folder: Path
    kourier: tuple[str, ...]

    def jobs(self, suspects: Sequence[Suspect]) -> Iterator[Callable[[], str]]:
        """What there is to do, the most telling first."""
        yield partial(self.routes, suspects)
        for one in suspects:
            yield from (partial(self.output, *asked) for asked in _of_service(one))
            yield partial(self.names, one)
            yield partial(self.logs, f"{one.folder}/logs", _pods_of(one))
        yield from (partial(self.logs, *asked) for asked in _shared_logs(self.kourier))
        yield from (partial(self.output, *asked) for asked in _shared(self.kourier))

    def output(self, file: str, args: Sequence[str]) -> str:
        """Keep what a command said."""
        text, problem = self._run(args)
        if text.strip():
            self.write(file, text)
        return f"{file}: kubectl {' '.join(args)}{problem}"

    def logs(self, below: str, where: Sequence[str]) -> str:
        """Keep the logs of some pods, a file for each container: secrets that run over several
        lines are found only where no line has something else before it.
        """
        said, problem = self._run(("get", "pods", *where, "-o", f"jsonpath={_CONTAINERS}"))
        pods = [line.split() for line in said.splitlines() if line.strip()]
        for pod, *containers in pods[:_MOST_PODS]:
            for container in containers:
                asked = ("logs", pod, "-c", container, *where[:2], "--tail=300")
                text, trouble = self._run(asked)
                if text.strip():
                    self.write(f"{below}/{pod}.{container}.txt", text)
                elif trouble:
                    problem += f"; {container} of {pod}{trouble}"
        return f"{below}: {len(pods)} pods by {' '.join(where)}{problem}"

    def routes(self, suspects: Sequence[Suspect]) -> str:
        """Keep what the gateway's Envoy knows of the routes to the services."""
        file, problem = "gateway/envoy-routes.json", ""
        provided = self.folder / PROVIDED_DUMP
        if provided.is_file():
            dump = provided.read_text(encoding="utf-8", errors="replace")
            provided.unlink()
        else:
            gateway = ("exec", *self.kourier, "deploy/3scale-kourier-gateway", "--", *ASK_ADMIN)
            dump, problem = self._run(gateway)
        names = [name for one in suspects for name in (*one.hosts, one.prefix)]
        try:
            self.write(file, routes_of(dump, names=names))
        except NoDump as error:
            return f"{file}: Envoy's config dump cannot be had: {error}{problem}"
        return f"{file}: from Envoy's config dump"

    def names(self, one: Suspect) -> str:
        """Keep what the service's host names resolve to, on the devbox and in a pod of its own."""
        running = ("--field-selector=status.phase=Running", "-o", "name")
        found, problem = self._run(("get", "pods", *_pods_of(one), *running))
        pods = found.split()
        lines = [f"devbox: {host}: {self._devbox(host)}" for host in one.hosts]
        for host in one.hosts if pods else ():
            where = (pods[0], "-n", one.namespace, "-c", "user-container")
            said, problem = self._run(("exec", *where, "--", "getent", "ahosts", host))
            lines.append(f"{pods[0]}: {host}: {' '.join(said.split()) or 'no answer'}{problem}")
        if not pods:
            lines.append(f"in-cluster: no pod of the service runs that could be asked{problem}")
        self.write(f"{one.folder}/dns.txt", "\n".join([*lines, ""]))
        return f"{one.folder}/dns.txt: {len(one.hosts)} names"

    def _devbox(self, host: str) -> str:
        return resolve(host, timeout=max(0.1, min(COMMAND_SECONDS, self._left())))

    def _left(self) -> float:
        return self.deadline - self.clock.monotonic()

    def _run(self, args: Sequence[str]) -> tuple[str, str]:
        """A command's output, and how its line of the index ends where something went wrong."""
        if (left := self._left()) <= 0:
            return "", ": not asked, as the time for the bundle was over"
        try:
            result = self.kubectl.run(args, timeout=min(COMMAND_SECONDS, left))
        except VpmError as error:
            return "", f": {error.message}"
        said = " ".join(result.stderr.split())[:300]
        if result.timed_out:
            return result.stdout, f": no answer within {result.seconds:.1f} s"
        if result.exit_code:
            return result.stdout, f": exit code {result.exit_code}: {said}"
        return result.stdout, "" if result.stdout.strip() else f": {said or 'nothing'}"

    def write(self, name: str, text: str) -> None:
        """Write a file of the bundle."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")


def _pods_of(one: Suspect) -> tuple[str, ...]:
    """Where everything is that belongs to a service, its pods among them."""
    return ("-n", one.namespace, "-l", f"serving.knative.dev/service={one.name}")


def _of_service(one: Suspect) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is asked about a service: a file, and kubectl's arguments."""
    place, below = ("-n", one.namespace), one.folder
    mine = _pods_of(one)
    name = f"services.serving.knative.dev/{one.name}"
    yield f"{below}/describe.txt", ("describe", name, *place)
    yield f"{below}/service.yaml", ("get", name, *place, "-oyaml")
    yield f"{below}/parts.yaml", ("get", _PARTS, *mine, "-oyaml")
    events = ("get", "events", *place, "--sort-by=.metadata.creationTimestamp")
    yield f"{below}/events.txt", events
    yield f"{below}/parts.txt", ("describe", _DESCRIBED, *mine)


def _shared(kourier: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is asked about that all services share; `kourier` says where the gateway is."""
    yield "gateway/objects.yaml", ("get", _OF_GATEWAY, *kourier, "-oyaml")
    yield "gateway/describe.txt", ("describe", "services,pods", *kourier)
    yield "activator/endpoints.yaml", ("get", "endpoints", "activator-service", *_KNATIVE, "-oyaml")
    yield "cluster/config.yaml", ("get", "configmaps", *_CONFIGS, *_KNATIVE, "-oyaml")
    yield "cluster/pods.txt", ("get", "pods", "-A", "-o", "wide")
    yield "cluster/nodes.txt", ("describe", "nodes")


def _shared_logs(kourier: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Whose logs all services share: a folder, and where the pods are."""
    yield "gateway/logs", (*kourier, "-l", "app=3scale-kourier-gateway")
    yield "gateway/logs", (*_KNATIVE, "-l", "app=net-kourier-controller")
    yield "activator/logs", (*_KNATIVE, "-l", "app=activator")
    yield "cluster/logs", ("-n", "kube-system", "-l", "k8s-app=kube-dns")
