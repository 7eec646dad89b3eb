"""What failing revisions look like: the recorded reasons, messages and times.

Expected values are from the recording 04-failures of a real cluster; time is virtual.
"""

from typing import Any

import pytest

from infra.embedded.kinds import (
    CONFIGURATION,
    DEPLOYMENT,
    KSERVICE,
    PODAUTOSCALER,
    REPLICASET,
    REVISION,
)
from tests.support.simulation import Simulation, changed, kservice, simulate

SLACK = 2.0  # cluster seconds: conditions are stamped in whole ones
DEADLINE = {"serving.knative.dev/progress-deadline": "30s"}
NEVER_READY = {"phase": "Running", "conditions": []}
CRASHING = {
    "phase": "Running",
    "conditions": [],
    "containerStatuses": [
        {
            "name": "user-container",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {
                "terminated": {"exitCode": 3, "message": "fatal: cannot start: config missing\n"}
            },
        }
    ],
}
NOT_PULLED = {
    "phase": "Pending",
    "conditions": [],
    "containerStatuses": [
        {
            "name": "user-container",
            "state": {"waiting": {"reason": "ErrImagePull", "message": "failed to pull"}},
            "lastState": {},
        }
    ],
}
MISSING = "registry.klab.local:5000/nope:v1"


@pytest.mark.covers(
    "Knative failures",
    "an unknown image is reported at once and tried again",
    recording="04-failures/timeline",
)
def test_an_unknown_image_is_reported_at_once_and_tried_again() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice(image=MISSING))
        message = (
            f'Unable to fetch image "{MISSING}": failed to resolve image to digest: '
            "HEAD http://registry.klab.local:5000/v2/nope/manifests/v1: unexpected status code "
            "404 Not Found (HEAD responses have no body, use GET for details)"
        )
        await cluster.until(
            lambda: (
                cluster.status(REVISION, "hello-00001", "ContainerHealthy")
                == ("False", "ContainerMissing", message)
            )
        )
        failed = f'Revision "hello-00001" failed with message: {message}.'
        await cluster.until(
            lambda: cluster.status(CONFIGURATION, "hello") == ("False", "RevisionFailed", failed)
        )
        missing = 'Configuration "hello" does not have any ready Revision.'
        await cluster.until(
            lambda: cluster.status(KSERVICE, "hello") == ("False", "RevisionMissing", missing)
        )
        assert cluster.store.find(DEPLOYMENT, "default", "hello-00001-deployment") is None
        await cluster.until(lambda: "InternalError" in cluster.events("Revision", "hello-00001"))

    simulate(story)


@pytest.mark.covers("Knative failures", "a resolved image runs by its digest")
def test_a_resolved_image_runs_by_its_digest() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice(image="ghcr.io/knative/helloworld-go:latest"))
        await cluster.ready()
        revision = cluster.store.get(REVISION, "default", "hello-00001")
        digest = revision["status"]["containerStatuses"][0]["imageDigest"]
        assert digest.startswith("ghcr.io/knative/helloworld-go@sha256:")
        deployment = cluster.store.get(DEPLOYMENT, "default", "hello-00001-deployment")
        assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == digest

    simulate(story)


@pytest.mark.covers(
    "Knative failures",
    "a pod that never gets ready fails at the deadline",
    recording="04-failures/timeline",
)
def test_a_pod_that_never_gets_ready_fails_at_the_deadline() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.kubelet.fates["dev.local/hello:v1"] = NEVER_READY
        cluster.store.create(KSERVICE, kservice(annotations=DEADLINE))
        name = await cluster.until(
            lambda: [r["metadata"]["name"] for r in _replicasets(cluster)], "a ReplicaSet"
        )
        started = cluster.clock.monotonic()
        message = f'ReplicaSet "{name[0]}" has timed out progressing.'
        await cluster.until(
            lambda: (
                cluster.status(REVISION, "hello-00001", "ResourcesAvailable")
                == ("False", "ProgressDeadlineExceeded", message)
            )
        )
        assert 29 <= cluster.clock.monotonic() - started < 30 + SLACK

    simulate(story)


@pytest.mark.covers(
    "Knative failures", "thirty seconds later it is given up", recording="04-failures/timeline"
)
def test_thirty_seconds_later_it_is_given_up() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.kubelet.fates["dev.local/hello:v1"] = NEVER_READY
        cluster.store.create(KSERVICE, kservice(annotations=DEADLINE))
        expected = ("False", "ProgressDeadlineExceeded", "Initial scale was never achieved")
        await cluster.until(
            lambda: cluster.status(REVISION, "hello-00001", "ResourcesAvailable") == expected
        )
        assert 59 <= cluster.clock.monotonic() < 60 + SLACK
        deployment = cluster.store.get(DEPLOYMENT, "default", "hello-00001-deployment")
        assert deployment["spec"]["replicas"] == 0
        idle = ("False", "NoTraffic", "The target is not receiving traffic.")
        assert cluster.status(PODAUTOSCALER, "hello-00001") == idle

    simulate(story)


@pytest.mark.covers(
    "Knative failures", "at the deadline the pod says why", recording="04-failures/timeline"
)
@pytest.mark.parametrize(
    ("fate", "type", "expected"),
    [
        (CRASHING, "ContainerHealthy",
         ("False", "ExitCode3", "Container failed with: fatal: cannot start: config missing\n")),
        (NOT_PULLED, "ResourcesAvailable", ("False", "ErrImagePull", "failed to pull")),
    ],
)  # fmt: skip
def test_at_the_deadline_the_pod_says_why(
    fate: dict[str, object], type: str, expected: tuple[str, str, str]
) -> None:
    async def story(cluster: Simulation) -> None:
        cluster.kubelet.fates["dev.local/hello:v1"] = fate
        cluster.store.create(KSERVICE, kservice(annotations=DEADLINE))
        await cluster.until(lambda: cluster.status(REVISION, "hello-00001", type) == expected, type)
        await cluster.until(
            lambda: (cluster.status(KSERVICE, "hello") or ("",))[0] == "False", "ksvc False"
        )

    simulate(story)


@pytest.mark.covers(
    "Knative failures",
    "a crash stays the reason after it was given up",
    recording="04-failures/timeline",
)
def test_a_crash_stays_the_reason_after_it_was_given_up() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.kubelet.fates["dev.local/hello:v1"] = CRASHING
        cluster.store.create(KSERVICE, kservice(annotations=DEADLINE))
        idle = ("False", "NoTraffic", "The target is not receiving traffic.")
        await cluster.until(lambda: cluster.status(REVISION, "hello-00001", "Active") == idle)
        await cluster.until(
            lambda: (cluster.status(REVISION, "hello-00001") or ("", ""))[1] == "ExitCode3"
        )

    simulate(story)


@pytest.mark.covers(
    "Knative failures",
    "a broken update keeps the old revision serving",
    recording="04-failures/timeline",
)
def test_a_broken_update_keeps_the_old_revision_serving() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        changed(cluster, image=MISSING)
        await cluster.until(
            lambda: (
                (cluster.status(KSERVICE, "hello") or ("", ""))[:2] == ("False", "RevisionFailed")
            )
        )
        assert cluster.status(KSERVICE, "hello", "RoutesReady") == ("True", "", "")
        status = cluster.store.get(KSERVICE, "default", "hello")["status"]
        assert status["latestReadyRevisionName"] == "hello-00001"
        assert status["latestCreatedRevisionName"] == "hello-00002"
        assert [t["revisionName"] for t in status["traffic"]] == ["hello-00001"]
        assert "LatestCreatedFailed" in cluster.events("Configuration", "hello")

    simulate(story)


@pytest.mark.covers(
    "Knative failures",
    "a missing service account is a failed create",
    recording="04-failures/timeline",
)
def test_a_missing_service_account_is_a_failed_create() -> None:
    async def story(cluster: Simulation) -> None:
        service = kservice()
        service["spec"]["template"]["spec"]["serviceAccountName"] = "nope"
        cluster.store.create(KSERVICE, service)

        def failed() -> bool:
            found = cluster.status(REVISION, "hello-00001", "ResourcesAvailable")
            return (
                found is not None
                and found[1] == "FailedCreate"
                and found[2].endswith(
                    "is forbidden: error looking up service account default/nope: "
                    'serviceaccount "nope" not found'
                )
            )

        await cluster.until(failed)

    simulate(story)


def _replicasets(cluster: Simulation) -> list[dict[str, Any]]:
    return cluster.store.list(REPLICASET, "default")
