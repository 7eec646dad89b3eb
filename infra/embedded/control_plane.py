"""The control plane: all controllers and the autoscaler, wired to one store and one clock."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.embedded.autoscaler.metrics import LoadSource
from infra.embedded.autoscaler.multiscaler import Multiscaler
from infra.embedded.autoscaler.podautoscaler import Metrics, PodAutoscalers
from infra.embedded.clock import Clock
from infra.embedded.controllers.runtime.controller import Controller, Key
from infra.embedded.controllers.runtime.manager import Component, Manager
from infra.embedded.controllers.serving.config import Configs
from infra.embedded.controllers.serving.configuration import Configurations
from infra.embedded.controllers.serving.digests import ImageResolver
from infra.embedded.controllers.serving.gc import RevisionGc
from infra.embedded.controllers.serving.labeler import Labeler
from infra.embedded.controllers.serving.revision import Revisions
from infra.embedded.controllers.serving.route import Routes
from infra.embedded.controllers.serving.serverlessservice import ServerlessServices
from infra.embedded.controllers.serving.service import Services
from infra.embedded.controllers.system import Versions, install
from infra.embedded.controllers.workloads.cronjob import CronJobs
from infra.embedded.controllers.workloads.deployment import Deployments
from infra.embedded.controllers.workloads.endpoints import EndpointSlices
from infra.embedded.controllers.workloads.expiry import EventExpiry
from infra.embedded.controllers.workloads.heartbeat import Heartbeat
from infra.embedded.controllers.workloads.job import Jobs
from infra.embedded.controllers.workloads.mirroring import Mirroring
from infra.embedded.controllers.workloads.replicaset import ReplicaSets
from infra.embedded.store import Store

__all__ = ["Component", "ControlPlane", "Versions", "control_plane"]


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Everything that runs beside kubelet and gateway; each of `parts` runs until cancelled.

    What two of Knative's components do can be turned off: it is then left until it is turned on.
    """

    parts: Sequence[Component]
    manager: Manager
    multiscaler: Multiscaler
    of_controller: Sequence[Controller]
    of_autoscaler: Sequence[Controller]

    def turn_controller(self, on: bool) -> None:
        """Turn Knative's controllers on or off."""
        self.manager.turn(self.of_controller, on=on)

    def turn_autoscaler(self, on: bool) -> None:
        """Turn decisions about revisions' scale on or off, and what follows them."""
        self.multiscaler.paused = not on
        self.manager.turn(self.of_autoscaler, on=on)

    def works(self) -> bool:
        """Whether the controllers are being run."""
        return self.manager.working


def control_plane(
    store: Store,
    clock: Clock,
    *,
    images: ImageResolver,
    load: LoadSource,
    versions: Versions,
) -> ControlPlane:
    """All controllers, and the objects of Knative's own components.

    `images` resolves tags to digests, `load` is the data path that counts requests.
    """
    install(store, versions)
    configs, multiscaler = Configs(store), Multiscaler(clock, load)
    autoscalers = PodAutoscalers(store, clock, configs, multiscaler)
    manager = Manager(store, clock)
    of_controller: list[Controller] = [
        Services(store, clock),
        Configurations(store, clock),
        Revisions(store, clock, configs, images, manager.enqueuer(Revisions.name)),
        Routes(store, clock, configs),
        Labeler(store, clock),
        ServerlessServices(store, clock),
        RevisionGc(store, clock, configs),
    ]
    of_autoscaler: list[Controller] = [autoscalers, Metrics(store, clock, multiscaler)]
    of_kubernetes: list[Controller] = [
        Deployments(store, clock),
        ReplicaSets(store, clock),
        EndpointSlices(store, clock),
        Mirroring(store),
        Jobs(store, clock),
        CronJobs(store, clock),
    ]
    manager.register([*of_controller, *of_autoscaler, *of_kubernetes])
    multiscaler.connect(
        autoscalers.ready_pods, lambda key: manager.enqueue(PodAutoscalers.name, Key(*key))
    )
    parts: list[Component] = [
        manager,
        multiscaler,
        EventExpiry(store, clock),
        Heartbeat(store, clock),
    ]
    return ControlPlane(parts, manager, multiscaler, of_controller, of_autoscaler)
