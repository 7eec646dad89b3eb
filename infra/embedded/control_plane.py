"""The control plane: all controllers and the autoscaler, wired to one store and one clock."""

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
from infra.embedded.controllers.system import SystemWorkloads, Versions
from infra.embedded.controllers.workloads.cronjob import CronJobs
from infra.embedded.controllers.workloads.deployment import Deployments
from infra.embedded.controllers.workloads.endpoints import EndpointSlices
from infra.embedded.controllers.workloads.expiry import EventExpiry
from infra.embedded.controllers.workloads.heartbeat import Heartbeat
from infra.embedded.controllers.workloads.job import Jobs
from infra.embedded.controllers.workloads.mirroring import Mirroring
from infra.embedded.controllers.workloads.replicaset import ReplicaSets
from infra.embedded.store import Store

__all__ = ["Component", "Versions", "controllers"]


def controllers(
    store: Store,
    clock: Clock,
    *,
    images: ImageResolver,
    load: LoadSource,
    activator: str,
    versions: Versions,
) -> list[Component]:
    """Everything that runs beside kubelet and gateway; each part runs until cancelled.

    `images` resolves tags to digests, `load` is the data path that counts requests, `activator`
    the address at which it listens.
    """
    SystemWorkloads(store, clock, activator, versions).install()
    configs, multiscaler = Configs(store), Multiscaler(clock, load)
    autoscalers = PodAutoscalers(store, clock, configs, multiscaler)
    manager = Manager(store, clock)
    every: list[Controller] = [
        Services(store, clock),
        Configurations(store, clock),
        Revisions(store, clock, configs, images, manager.enqueuer(Revisions.name)),
        Routes(store, clock, configs),
        Labeler(store, clock),
        autoscalers,
        Metrics(store, clock, multiscaler),
        ServerlessServices(store, clock),
        RevisionGc(store, clock, configs),
        Deployments(store, clock),
        ReplicaSets(store, clock),
        EndpointSlices(store, clock),
        Mirroring(store),
        Jobs(store, clock),
        CronJobs(store, clock),
    ]
    manager.register(every)
    multiscaler.connect(
        autoscalers.ready_pods, lambda key: manager.enqueue(PodAutoscalers.name, Key(*key))
    )
    return [manager, multiscaler, EventExpiry(store, clock), Heartbeat(store, clock)]
