"""KServices from apply to READY, updates, and deletion: the recorded order and words.

Expected values are from the recordings 02-lifecycle and 05-gateway of a real cluster.
"""

from typing import Any

import pytest

from infra.embedded.kinds import (
    CONFIGURATION,
    DEPLOYMENT,
    IMAGE,
    KINGRESS,
    KSERVICE,
    PODAUTOSCALER,
    REVISION,
    ROUTE,
    SERVICE,
    SKS,
    Kind,
)
from tests.support.simulation import Simulation, changed, kservice, pods, simulate

Obj = dict[str, Any]


def conditions(obj: Obj) -> list[Obj]:
    return [
        {k: v for k, v in entry.items() if k != "lastTransitionTime"}
        for entry in obj["status"]["conditions"]
    ]


@pytest.mark.covers(
    "Knative lifecycle",
    "a kservice becomes ready in the recorded states",
    recording="02-lifecycle/watch-ksvc",
)
def test_a_kservice_becomes_ready_in_the_recorded_states() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        assert await cluster.states(KSERVICE) == [
            ("Unknown", "OutOfDate"),
            ("Unknown", "RevisionMissing"),
            ("Unknown", "IngressNotConfigured"),
            ("True", ""),
        ]

    simulate(story)


@pytest.mark.covers(
    "Knative lifecycle", "its parts go through the recorded states", recording="02-lifecycle/events"
)
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (CONFIGURATION, [("Unknown", ""), ("True", "")]),
        (REVISION, [("Unknown", "ResolvingDigests"), ("Unknown", "Deploying"), ("True", "")]),
        (PODAUTOSCALER, [("Unknown", "Queued"), ("Unknown", "NotReady"), ("True", "")]),
        (SKS, [("Unknown", "NoHealthyBackends"), ("True", "")]),
    ],
)
def test_its_parts_go_through_the_recorded_states(
    kind: Kind, expected: list[tuple[str, str]]
) -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        assert await cluster.states(kind) == expected

    simulate(story)


@pytest.mark.covers(
    "Knative lifecycle",
    "events tell the recorded story",
    recording="03-kubectl/delete-and-misc: events for ksvc",
)
def test_events_tell_the_recorded_story() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        assert await cluster.story() == [
            "Service Created",
            "Service Created",
            "Configuration Created",
            "Route FinalizerUpdate",
            "Deployment ScalingReplicaSet",
            "ReplicaSet SuccessfulCreate",
            "Revision RevisionReady",
            "Configuration ConfigurationReady",
            "Configuration LatestReadyUpdate",
            "Route Created",
            "Route Created",
        ]

    simulate(story)


@pytest.mark.covers(
    "Knative lifecycle",
    "a ready kservice has the recorded status",
    recording="02-lifecycle/ready-ksvc",
)
def test_a_ready_kservice_has_the_recorded_status() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        ready = await cluster.ready()
        assert conditions(ready) == [
            {"status": "True", "type": type}
            for type in ("ConfigurationsReady", "Ready", "RoutesReady")
        ]
        rest = {k: v for k, v in ready["status"].items() if k != "conditions"}
        assert rest == {
            "address": {"url": "http://hello.default.svc.cluster.local"},
            "latestCreatedRevisionName": "hello-00001",
            "latestReadyRevisionName": "hello-00001",
            "observedGeneration": 1,
            "traffic": [{"latestRevision": True, "percent": 100, "revisionName": "hello-00001"}],
            "url": "http://hello.default.127.0.0.1.sslip.io",
        }

    simulate(story)


@pytest.mark.covers(
    "Knative lifecycle",
    "a ready revision has the recorded conditions",
    recording="02-lifecycle/ready-revision",
)
def test_a_ready_revision_has_the_recorded_conditions() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        await cluster.until(
            lambda: cluster.status(REVISION, "hello-00001", "Active") == ("True", "", "")
        )
        revision = cluster.store.get(REVISION, "default", "hello-00001")
        assert conditions(revision) == [
            {"severity": "Info", "status": "True", "type": "Active"},
            {"status": "True", "type": "ContainerHealthy"},
            {"status": "True", "type": "Ready"},
            {"status": "True", "type": "ResourcesAvailable"},
        ]
        assert revision["status"]["containerStatuses"] == [{"name": "user-container"}]

    simulate(story)


@pytest.mark.covers("Knative lifecycle", "nothing is ready before the gateway says so")
def test_nothing_is_ready_before_the_gateway_says_so() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.gateway.closed = True
        cluster.store.create(KSERVICE, kservice())
        await cluster.until(lambda: cluster.status(REVISION, "hello-00001") == ("True", "", ""))
        await cluster.until(
            lambda: cluster.status(KSERVICE, "hello", "ConfigurationsReady") == ("True", "", "")
        )
        waiting = ("Unknown", "IngressNotConfigured", "Ingress has not yet been reconciled.")
        await cluster.until(lambda: cluster.status(KSERVICE, "hello") == waiting)

    simulate(story)


@pytest.mark.covers("Knative lifecycle", "nothing is ready without a ready pod")
def test_nothing_is_ready_without_a_ready_pod() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.kubelet.fates["dev.local/hello:v1"] = {"phase": "Running", "conditions": []}
        cluster.store.create(KSERVICE, kservice())
        message = 'Configuration "hello" is waiting for a Revision to become ready.'
        await cluster.until(
            lambda: cluster.status(KSERVICE, "hello") == ("Unknown", "RevisionMissing", message)
        )
        await cluster.until(lambda: cluster.status(REVISION, "hello-00001", "Active"))
        assert cluster.store.find(KINGRESS, "default", "hello") is None

    simulate(story)


@pytest.mark.covers(
    "Knative lifecycle",
    "an update moves to a new revision and retires the old",
    recording="02-lifecycle/update-events",
)
def test_an_update_moves_to_a_new_revision_and_retires_the_old() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        cluster.changes.clear()
        changed(cluster, target="Kubernetes")
        ready = await cluster.ready()
        assert ready["status"]["latestReadyRevisionName"] == "hello-00002"
        assert [t["revisionName"] for t in ready["status"]["traffic"]] == ["hello-00002"]
        assert (await cluster.states(KSERVICE))[:3] == [
            ("True", ""),
            ("Unknown", "OutOfDate"),
            ("Unknown", ""),
        ]
        await cluster.until(
            lambda: (
                cluster.store.get(PODAUTOSCALER, "default", "hello-00001")["spec"].get(
                    "reachability"
                )
                == "Unreachable"
            )
        )
        old = cluster.store.get(REVISION, "default", "hello-00001")
        assert old["metadata"]["labels"]["serving.knative.dev/routingState"] == "reserve"
        assert "serving.knative.dev/routes" not in old["metadata"]["annotations"]

    simulate(story)


@pytest.mark.covers("Knative lifecycle", "routes stay ready while the new revision starts")
def test_routes_stay_ready_while_the_new_revision_starts() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        cluster.kubelet.fates["dev.local/slow:v1"] = {"phase": "Running", "conditions": []}
        changed(cluster, image="dev.local/slow:v1")
        await cluster.until(
            lambda: cluster.store.find(DEPLOYMENT, "default", "hello-00002-deployment")
        )
        await cluster.until(
            lambda: cluster.status(KSERVICE, "hello", "ConfigurationsReady") == ("Unknown", "", "")
        )
        assert cluster.status(KSERVICE, "hello", "RoutesReady") == ("True", "", "")
        ingress = cluster.store.get(KINGRESS, "default", "hello")
        split = ingress["spec"]["rules"][0]["http"]["paths"][0]["splits"]
        assert [s["serviceName"] for s in split] == ["hello-00001"]

    simulate(story)


@pytest.mark.covers("Knative lifecycle", "deletion leaves nothing behind")
def test_deletion_leaves_nothing_behind() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        cluster.store.delete(KSERVICE, "default", "hello")
        kinds = (CONFIGURATION, ROUTE, REVISION, DEPLOYMENT, PODAUTOSCALER, SKS, KINGRESS, IMAGE)
        await cluster.until(
            lambda: (
                not any(cluster.store.list(kind, "default") for kind in kinds)
                and not list(pods(cluster))
            )
        )
        left = [s["metadata"]["name"] for s in cluster.store.list(SERVICE, "default")]
        assert left == ["kubernetes"]

    simulate(story)


@pytest.mark.covers("Knative lifecycle", "a foreign configuration is not taken over")
def test_a_foreign_configuration_is_not_taken_over() -> None:
    async def story(cluster: Simulation) -> None:
        foreign = {
            "metadata": {"name": "hello", "namespace": "default"},
            "spec": kservice()["spec"],
        }
        cluster.store.create(CONFIGURATION, foreign)
        cluster.store.create(KSERVICE, kservice())
        message = 'There is an existing Configuration "hello" that we do not own.'
        await cluster.until(
            lambda: cluster.status(KSERVICE, "hello") == ("False", "NotOwned", message)
        )
        assert "InternalError" in cluster.events("Service", "hello")

    simulate(story)


@pytest.mark.covers("Knative lifecycle", "many kservices become ready")
def test_many_kservices_become_ready() -> None:
    async def story(cluster: Simulation) -> None:
        names = [f"hello-{n}" for n in range(12)]
        for name in names:
            cluster.store.create(KSERVICE, kservice(name))
        for name in names:
            await cluster.ready(name)

    simulate(story)
