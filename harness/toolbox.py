"""The tools that a run uses on an open cluster: the parts' adapters, put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from harness.contracts.model import stamp
from harness.core.errors import UsageError
from harness.core.observation import (
    ColdStartObserved,
    CommandRecord,
    ContractObserved,
    ProbeObserved,
    ServiceObserved,
)
from harness.core.record import RunOpened
from harness.core.redact import redact_bytes
from harness.options import RunOptions
from harness.ports import Clock, Cluster, CommandResult, KubeClient, Kubectl
from harness.run.bundle import ClusterBundle
from harness.run.tools import Folder, Tools
from harness.runner.approvals import FileApprovals
from harness.runner.files import write_atomic
from harness.runner.kubectl import KubectlProcess
from harness.runner.runner import Runner, RunnerSettings
from harness.spec.model import ProbeAction
from infra.kube import KubernetesClient
from probes.coldstart import cold_start
from probes.load import LocustLoad
from probes.places import ClusterPlaces
from probes.prober import Prober
from probes.ready import ServiceReader
from probes.scale import PodCounter

_KEPT_OUTPUT = 1000
_KEPT_OBJECT = 8000


@dataclass(frozen=True, slots=True)
class KubectlApplier:
    """Applies manifests with the pinned kubectl; implements Applier."""

    kubectl: Kubectl

    def apply(self, manifest: Path, *, timeout: float) -> CommandResult:
        """`kubectl apply -f MANIFEST`."""
        return self.kubectl.run(["apply", "-f", str(manifest)], timeout=timeout)


@dataclass(frozen=True, slots=True)
class ScenarioContracts:
    """Runs contracts from the inbox that each of them lies in; implements Contracts.

    The runner is made when a contract asks for it: scenarios without contracts need no policy.
    """

    root: Path
    reports: Path
    cluster: Cluster
    client: KubeClient
    kubectl: Kubectl
    clock: Clock

    def preview(self, contract: Path) -> ContractObserved:
        """What the contract would do; changes neither the cluster nor the inbox."""
        return self._below_reports(self._runner(contract.parent).preview(contract))

    def execute(self, contract: Path) -> ContractObserved:
        """Do what the contract says, once."""
        return self._below_reports(self._runner(contract.parent).execute(contract))

    def _below_reports(self, seen: ContractObserved) -> ContractObserved:
        """Evidence names folders from `reports/` on: it is read on other machines, too."""
        folder = Path(seen.folder)
        below = folder.relative_to(self.reports) if folder.is_relative_to(self.reports) else folder
        return replace(seen, folder=str(below), commands=tuple(map(_bounded, seen.commands)))

    def _runner(self, inbox: Path) -> Runner:
        usual = RunnerSettings.of_repository(self.root)
        settings = RunnerSettings(
            repo=self.root,
            inbox=inbox,
            reports=self.reports / "codex_runs",
            policy=usual.policy,
        )
        return Runner(
            settings=settings,
            kubectl=self.kubectl,
            client=self.client,
            cluster=self.cluster.identity,
            clock=self.clock,
            approvals=FileApprovals(settings.approvals),
        )


def _bounded(command: CommandRecord) -> CommandRecord:
    """The journal holds the beginning of what a command said, and whole objects of usual sizes;
    the runner's own log holds all.
    """
    most = _KEPT_OBJECT if "yaml" in command.argv else _KEPT_OUTPUT
    out, err = _beginning(command.stdout, most), _beginning(command.stderr, _KEPT_OUTPUT)
    return replace(command, stdout=out, stderr=err)


def _beginning(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n({len(text) - most} more characters: see the runner's logs)\n"


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """Starts services from zero and says where the time went; implements ColdStarter."""

    prober: Prober
    client: KubeClient
    clock: Clock

    def start(
        self, service: ServiceObserved, action: ProbeAction
    ) -> tuple[ColdStartObserved, ProbeObserved]:
        """Wait until there is no pod, then send the request.

        Errors:
            ProbeError: there was a pod all the time, or the request could not be sent.
        """
        seen = cold_start(
            service,
            action,
            prober=self.prober,
            counter=PodCounter(self.client, self.clock, service.namespace, service.service),
            clock=self.clock,
            zero_timeout=action.from_zero or 0.0,
        )
        cold = ColdStartObserved(
            service=service.service,
            namespace=service.namespace,
            at=seen.probe.at,
            until=seen.probe.until,
            waited=round(seen.waited, 6),
            seconds=round(seen.seconds, 6),
            phases=tuple((name, round(seconds, 6)) for name, seconds in seen.phases),
        )
        return cold, seen.probe


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Makes the tools for an open cluster; implements Workbench."""

    root: Path
    reports: Path
    clock: Clock
    options: RunOptions

    def __call__(self, cluster: Cluster, folder: Folder) -> Tools:
        if self.options.agent_image:
            cluster = replace(cluster, agent_image=self.options.agent_image)
        client = KubernetesClient(cluster.kubeconfig, cluster.context, clock=self.clock)
        kubectl = kubectl_for(cluster, self.clock)
        places = ClusterPlaces(cluster=cluster, client=client, kubectl=kubectl, clock=self.clock)
        prober = Prober(places=places, store=folder, clock=self.clock)
        return Tools(
            services=ServiceReader(
                client=client, clock=self.clock, gateway_namespace=cluster.gateway.namespace
            ),
            contracts=ScenarioContracts(
                root=self.root,
                reports=self.reports,
                cluster=cluster,
                client=client,
                kubectl=kubectl,
                clock=self.clock,
            ),
            prober=prober,
            load=LocustLoad(cluster=cluster, clock=self.clock, folder=folder, client=client),
            applier=KubectlApplier(kubectl),
            faults=cluster.faults,
            cold=ColdStarts(prober=prober, client=client, clock=self.clock),
            diagnoser=ClusterBundle(
                kubectl=kubectl, clock=self.clock, gateway_namespace=cluster.gateway.namespace
            ),
        )


def kubectl_for(cluster: Cluster, clock: Clock) -> Kubectl:
    """kubectl, pinned to a cluster."""
    return KubectlProcess(kubeconfig=cluster.kubeconfig, context=cluster.context, clock=clock)


def stamp_contract(template: Path, inbox: Path, opened: RunOpened) -> Path:
    """Put a scenario's contract into a run's own inbox, with an id and a time of this run.

    The same template in the same run gives the same contract again: it is never run twice.
    """
    try:
        text = template.read_bytes()
    except OSError as error:
        raise UsageError(f"{template}: cannot be read: {error.strerror}") from error
    created = datetime.fromisoformat(opened.at)
    id = f"{template.stem}_{created:%Y%m%dT%H%M%SZ}"
    inbox.mkdir(exist_ok=True)
    contract = inbox / f"{id}.json"
    # It stays in the run's folder, where no note may hold a secret.
    write_atomic(contract, redact_bytes(stamp(text, id=id, created=created)))
    return contract
