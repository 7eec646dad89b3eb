"""Scale over time: to zero and back, minimum and maximum, initial scale, settings taken live.

The clock runs faster; times are cluster seconds.
"""

import pytest

from infra.embedded.autoscaler.metrics import RevisionLoad
from infra.embedded.kinds import (
    DEPLOYMENT,
    ENDPOINTS,
    KSERVICE,
    POD,
    PODAUTOSCALER,
    REVISION,
    SKS,
)
from tests.support.simulation import Simulation, changed, kservice, pods, simulate

DECISION = 2.0  # cluster seconds between two decisions of the autoscaler
KEY = ("default", "hello-00001")
IDLE = ("False", "NoTraffic", "The target is not receiving traffic.")


def replicas(cluster: Simulation) -> int:
    found: int = cluster.store.get(DEPLOYMENT, "default", "hello-00001-deployment")["spec"][
        "replicas"
    ]
    return found


async def idle(cluster: Simulation) -> None:
    """hello has been ready and is at zero now."""
    cluster.store.create(KSERVICE, kservice())
    await cluster.ready()
    await cluster.until(lambda: replicas(cluster) == 0 and not list(pods(cluster)))


@pytest.mark.covers(
    "Knative autoscaling", "without requests a revision goes to zero after a window"
)
def test_without_requests_a_revision_goes_to_zero_after_a_window() -> None:
    async def story(cluster: Simulation) -> None:
        start = cluster.clock.monotonic()
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        await cluster.until(lambda: cluster.status(PODAUTOSCALER, "hello-00001") == IDLE)
        took = cluster.clock.monotonic() - start
        assert 59 <= took < 60 + DECISION  # conditions are stamped in whole seconds
        await cluster.until(lambda: replicas(cluster) == 0)
        await cluster.until(lambda: cluster.status(REVISION, "hello-00001", "Active") == IDLE)
        assert cluster.status(REVISION, "hello-00001") == ("True", "", "")
        assert cluster.status(KSERVICE, "hello") == ("True", "", "")

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "at zero the activator answers")
def test_at_zero_the_activator_answers() -> None:
    async def story(cluster: Simulation) -> None:
        await idle(cluster)
        backed = ("Unknown", "NoHealthyBackends", "K8s Service is not ready")
        await cluster.until(lambda: cluster.status(SKS, "hello-00001") == backed)
        public = cluster.store.get(ENDPOINTS, "default", "hello-00001")
        (activator,) = cluster.store.list(POD, "knative-serving", {"app": "activator"})
        answering = [a["ip"] for a in public["subsets"][0]["addresses"]]
        assert answering == [activator["status"]["podIP"]]
        assert not cluster.store.get(ENDPOINTS, "default", "hello-00001-private").get("subsets")

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "a waiting request brings a pod back")
def test_a_waiting_request_brings_a_pod_back() -> None:
    async def story(cluster: Simulation) -> None:
        await idle(cluster)
        cluster.changes.clear()
        cluster.load.buffered(*KEY)
        await cluster.until(
            lambda: cluster.status(PODAUTOSCALER, "hello-00001") == ("True", "", "")
        )
        states = await cluster.states(PODAUTOSCALER, "Active")
        assert states[-2:] == [("Unknown", "Queued"), ("True", "")]
        assert len(list(pods(cluster))) == 1

    simulate(story)


@pytest.mark.covers(
    "Knative autoscaling", "a load adds pods up to the maximum and its end takes them away"
)
def test_a_load_adds_pods_up_to_the_maximum_and_its_end_takes_them_away() -> None:
    async def story(cluster: Simulation) -> None:
        notes = {"autoscaling.knative.dev/target": "10", "autoscaling.knative.dev/max-scale": "5"}
        cluster.store.create(KSERVICE, kservice(annotations=notes))
        await cluster.ready()
        cluster.load.loads[KEY] = RevisionLoad(10.0, 20.0)
        await cluster.until(lambda: replicas(cluster) == 2)
        cluster.load.loads[KEY] = RevisionLoad(50.0, 100.0)
        await cluster.until(lambda: replicas(cluster) == 5)
        cluster.load.loads.clear()
        await cluster.until(lambda: replicas(cluster) == 0)
        await cluster.until(lambda: not list(pods(cluster)))

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "ready waits for the first scale")
@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ({"autoscaling.knative.dev/min-scale": "2"}, 2),
        ({"autoscaling.knative.dev/initial-scale": "3"}, 3),
        ({"autoscaling.knative.dev/min-scale": "3", "autoscaling.knative.dev/max-scale": "3"}, 3),
    ],
)
def test_ready_waits_for_the_first_scale(notes: dict[str, str], expected: int) -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice(annotations=notes))
        await cluster.ready()
        status = cluster.store.get(PODAUTOSCALER, "default", "hello-00001")["status"]
        assert status["actualScale"] == expected

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "a revision may start at zero")
def test_a_revision_may_start_at_zero() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.configure("config-autoscaler", allow_zero_initial_scale="true")
        notes = {"autoscaling.knative.dev/initial-scale": "0"}
        cluster.store.create(KSERVICE, kservice(annotations=notes))
        await cluster.ready()
        assert cluster.kubelet.started == 0
        assert cluster.status(PODAUTOSCALER, "hello-00001") == IDLE
        cluster.load.buffered(*KEY)
        await cluster.until(
            lambda: cluster.status(PODAUTOSCALER, "hello-00001") == ("True", "", "")
        )
        assert len(list(pods(cluster))) == 1

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "a retired revision with a minimum goes to zero")
def test_a_retired_revision_with_a_minimum_goes_to_zero() -> None:
    async def story(cluster: Simulation) -> None:
        notes = {"autoscaling.knative.dev/min-scale": "1"}
        cluster.store.create(KSERVICE, kservice(annotations=notes))
        await cluster.ready()
        changed(cluster, target="Two", annotations=notes)
        await cluster.ready()
        await cluster.until(lambda: replicas(cluster) == 0)
        await cluster.until(lambda: len(list(pods(cluster))) == 1)

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "scale to zero can be switched off and on")
def test_scale_to_zero_can_be_switched_off_and_on() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.configure("config-autoscaler", enable_scale_to_zero="false")
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        start = cluster.clock.monotonic()
        await cluster.until(lambda: cluster.clock.monotonic() > start + 90)
        assert replicas(cluster) == 1
        cluster.configure("config-autoscaler", enable_scale_to_zero="true")
        await cluster.until(lambda: replicas(cluster) == 0)

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "without burst capacity pods answer directly")
def test_without_burst_capacity_pods_answer_directly() -> None:
    async def story(cluster: Simulation) -> None:
        notes = {"autoscaling.knative.dev/target-burst-capacity": "0"}
        cluster.store.create(KSERVICE, kservice(annotations=notes))
        await cluster.ready()

        def served() -> bool:
            sks = cluster.store.get(SKS, "default", "hello-00001")
            public = cluster.store.get(ENDPOINTS, "default", "hello-00001")
            addresses = [a["ip"] for a in public["subsets"][0]["addresses"]]
            return sks["spec"]["mode"] == "Serve" and addresses == ["10.244.0.2"]

        await cluster.until(served)

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "a new sidecar rolls running revisions")
def test_a_new_sidecar_rolls_running_revisions() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        cluster.configure(
            "config-deployment",
            queue_sidecar_image="dev.local/knative/queue:next",
            queue_sidecar_memory_limit="800Mi",
        )

        def rolled() -> bool:
            sidecars = [pod["spec"]["containers"][-1] for pod in pods(cluster)]
            return [(s["image"], s["resources"].get("limits")) for s in sidecars] == [
                ("dev.local/knative/queue:next", {"memory": "800Mi"})
            ]

        await cluster.until(rolled)
        assert cluster.status(KSERVICE, "hello") == ("True", "", "")

    simulate(story)


@pytest.mark.covers("Knative autoscaling", "a shorter window applies to running revisions")
def test_a_shorter_window_applies_to_running_revisions() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        ready_at = cluster.clock.monotonic()
        cluster.configure("config-autoscaler", stable_window="10s")
        await cluster.until(lambda: replicas(cluster) == 0)
        assert cluster.clock.monotonic() - ready_at < 45

    simulate(story)
