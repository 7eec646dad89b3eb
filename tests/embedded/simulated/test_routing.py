"""Traffic of KServices: splits, tags, names of revisions, visibility, domains, settings.

Expected values are from the recording 05-gateway of a real cluster.
"""

from typing import Any

import pytest

from infra.embedded.kinds import CONFIGURATION, KINGRESS, KSERVICE, REVISION, ROUTE, SERVICE
from tests.support.simulation import Simulation, changed, kservice, simulate

Obj = dict[str, Any]


async def split_in_two(cluster: Simulation) -> Obj:
    """`hello` with 80 % on the first revision and 20 % on the latest, each with a tag."""
    cluster.store.create(KSERVICE, kservice())
    await cluster.ready()
    changed(
        cluster,
        target="Two",
        traffic=[
            {
                "revisionName": "hello-00001",
                "latestRevision": False,
                "percent": 80,
                "tag": "stable",
            },
            {"latestRevision": True, "percent": 20, "tag": "canary"},
        ],
    )
    return await cluster.ready()


def hosts(cluster: Simulation) -> dict[str, list[tuple[str, int]]]:
    """Where the ingress sends each public host."""
    ingress = cluster.store.get(KINGRESS, "default", "hello")
    return {
        rule["hosts"][0]: [
            (s["serviceName"], s["percent"]) for s in rule["http"]["paths"][0]["splits"]
        ]
        for rule in ingress["spec"]["rules"]
        if rule["visibility"] == "ExternalIP"
    }


@pytest.mark.covers("Knative traffic", "shares and tags", recording="05-gateway/traffic-split")
def test_shares_and_tags() -> None:
    async def story(cluster: Simulation) -> None:
        ready = await split_in_two(cluster)
        assert ready["status"]["traffic"] == [
            {
                "latestRevision": False,
                "percent": 80,
                "revisionName": "hello-00001",
                "tag": "stable",
                "url": "http://stable-hello.default.127.0.0.1.sslip.io",
            },
            {
                "latestRevision": True,
                "percent": 20,
                "revisionName": "hello-00002",
                "tag": "canary",
                "url": "http://canary-hello.default.127.0.0.1.sslip.io",
            },
        ]
        assert hosts(cluster) == {
            "hello.default.127.0.0.1.sslip.io": [("hello-00001", 80), ("hello-00002", 20)],
            "canary-hello.default.127.0.0.1.sslip.io": [("hello-00002", 100)],
            "stable-hello.default.127.0.0.1.sslip.io": [("hello-00001", 100)],
        }

    simulate(story)


@pytest.mark.covers(
    "Knative traffic", "each tag has a name in the cluster", recording="05-gateway/traffic-split"
)
def test_each_tag_has_a_name_in_the_cluster() -> None:
    async def story(cluster: Simulation) -> None:
        await split_in_two(cluster)

        def names() -> dict[str, str]:
            found = cluster.store.list(SERVICE, "default")
            return {
                s["metadata"]["name"]: s["spec"]["externalName"]
                for s in found
                if s["spec"]["type"] == "ExternalName"
            }

        balancer = "kourier-internal.kourier-system.svc.cluster.local"
        expected = dict.fromkeys(("hello", "canary-hello", "stable-hello"), balancer)
        await cluster.until(lambda: names() == expected)
        changed(cluster, target="Two")
        await cluster.until(lambda: names() == {"hello": balancer})

    simulate(story)


@pytest.mark.covers(
    "Knative traffic",
    "traffic to a missing revision keeps the old split",
    recording="05-gateway/traffic-split",
)
def test_traffic_to_a_missing_revision_keeps_the_old_split() -> None:
    async def story(cluster: Simulation) -> None:
        await split_in_two(cluster)
        before = hosts(cluster)
        changed(
            cluster,
            target="Two",
            traffic=[{"revisionName": "nope", "latestRevision": False, "percent": 100}],
        )
        message = 'Revision "nope" referenced in traffic not found.'
        await cluster.until(
            lambda: cluster.status(KSERVICE, "hello") == ("False", "RevisionMissing", message)
        )
        status = cluster.store.get(KSERVICE, "default", "hello")["status"]
        assert [t["revisionName"] for t in status["traffic"]] == ["hello-00001", "hello-00002"]
        assert hosts(cluster) == before

    simulate(story)


@pytest.mark.covers(
    "Knative traffic",
    "the same revision twice never counts as migrated",
    recording="05-gateway/traffic-split",
)
def test_the_same_revision_twice_never_counts_as_migrated() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        half = {"revisionName": "hello-00001", "latestRevision": False, "percent": 50}
        changed(cluster, traffic=[half, half])
        message = "Traffic is not yet migrated to the latest revision."
        await cluster.until(
            lambda: cluster.status(KSERVICE, "hello") == ("Unknown", "TrafficNotMigrated", message)
        )
        await cluster.until(lambda: cluster.status(ROUTE, "hello") == ("True", "", ""))

    simulate(story)


@pytest.mark.covers(
    "Knative traffic",
    "a revision takes the name that the template gives",
    recording="05-gateway/traffic-split",
)
def test_a_revision_takes_the_name_that_the_template_gives() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice(revision="hello-blue"))
        ready = await cluster.ready()
        assert ready["status"]["latestReadyRevisionName"] == "hello-blue"
        changed(cluster, revision="hello-green", target="Green")
        ready = await cluster.ready()
        assert ready["status"]["latestReadyRevisionName"] == "hello-green"

    simulate(story)


@pytest.mark.covers("Knative traffic", "a name that another configuration uses is refused")
def test_a_name_that_another_configuration_uses_is_refused() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice("other", revision="hello-blue"))
        await cluster.ready("other")
        cluster.store.create(KSERVICE, kservice(revision="hello-blue"))
        message = (
            "Revision creation failed with message: "
            'revisions.serving.knative.dev "hello-blue" already exists.'
        )
        await cluster.until(
            lambda: cluster.status(CONFIGURATION, "hello") == ("False", "RevisionFailed", message)
        )
        taken = (
            'The revision name "hello-blue" is taken by a conflicting Revision, '
            "so traffic will not be migrated"
        )
        await cluster.until(
            lambda: (
                cluster.status(KSERVICE, "hello", "RoutesReady")
                == ("False", "RevisionNameTaken", taken)
            )
        )

    simulate(story)


@pytest.mark.covers("Knative traffic", "cluster local services have no public host")
def test_cluster_local_services_have_no_public_host() -> None:
    async def story(cluster: Simulation) -> None:
        local = {"networking.knative.dev/visibility": "cluster-local"}
        cluster.store.create(KSERVICE, kservice(labels=local))
        ready = await cluster.ready()
        assert ready["status"]["url"] == "http://hello.default.svc.cluster.local"
        assert hosts(cluster) == {}
        assert cluster.status(ROUTE, "hello", "CertificateProvisioned") == (
            "True",
            "TLSNotEnabled",
            "external-domain-tls is not enabled",
        )

    simulate(story)


@pytest.mark.covers("Knative traffic", "a route of its own waits for its configuration")
def test_a_route_of_its_own_waits_for_its_configuration() -> None:
    async def story(cluster: Simulation) -> None:
        target = {"configurationName": "plain", "latestRevision": True, "percent": 100}
        route = {
            "metadata": {"name": "front", "namespace": "default"},
            "spec": {"traffic": [target]},
        }
        cluster.store.create(ROUTE, {**route, "apiVersion": "serving.knative.dev/v1"})
        message = 'Configuration "plain" referenced in traffic not found.'
        await cluster.until(
            lambda: cluster.status(ROUTE, "front") == ("False", "ConfigurationMissing", message)
        )
        spec = {"template": kservice()["spec"]["template"]}
        plain = {"metadata": {"name": "plain", "namespace": "default"}, "spec": spec}
        cluster.store.create(CONFIGURATION, {**plain, "apiVersion": "serving.knative.dev/v1"})
        await cluster.until(lambda: cluster.status(ROUTE, "front") == ("True", "", ""))
        ingress = cluster.store.get(KINGRESS, "default", "front")
        split = ingress["spec"]["rules"][1]["http"]["paths"][0]["splits"]
        assert [s["serviceName"] for s in split] == ["plain-00001"]

    simulate(story)


@pytest.mark.covers("Knative traffic", "a new domain takes effect on running services")
def test_a_new_domain_takes_effect_on_running_services() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        cluster.configure("config-network", domain_template="{{.Name}}-{{.Namespace}}.{{.Domain}}")

        def url() -> bool:
            status = cluster.store.get(KSERVICE, "default", "hello")["status"]
            return bool(status["url"] == "http://hello-default.127.0.0.1.sslip.io")

        await cluster.until(url)
        assert list(hosts(cluster)) == ["hello-default.127.0.0.1.sslip.io"]

    simulate(story)


@pytest.mark.covers("Knative traffic", "old revisions are collected")
@pytest.mark.parametrize(("keep", "expected"), [("0", 1), ("1", 2), ("20", 4)])
def test_old_revisions_are_collected(keep: str, expected: int) -> None:
    async def story(cluster: Simulation) -> None:
        cluster.configure(
            "config-gc",
            min_non_active_revisions=keep,
            retain_since_create_time="0s",
            retain_since_last_active_time="0s",
        )
        cluster.store.create(KSERVICE, kservice())
        await cluster.ready()
        for n in range(3):
            changed(cluster, target=f"Update {n}")
            await cluster.ready()
        await cluster.until(lambda: len(cluster.store.list(REVISION, "default")) == expected)
        assert cluster.store.find(REVISION, "default", "hello-00004") is not None

    simulate(story)


@pytest.mark.covers("Knative traffic", "a revision with a tag is never collected")
def test_a_revision_with_a_tag_is_never_collected() -> None:
    async def story(cluster: Simulation) -> None:
        cluster.configure(
            "config-gc",
            min_non_active_revisions="0",
            retain_since_create_time="0s",
            retain_since_last_active_time="0s",
        )
        await split_in_two(cluster)
        changed(
            cluster,
            target="Three",
            traffic=[
                {"latestRevision": True, "percent": 100},
                {
                    "revisionName": "hello-00001",
                    "latestRevision": False,
                    "percent": 0,
                    "tag": "old",
                },
            ],
        )
        await cluster.ready()
        await cluster.until(lambda: len(cluster.store.list(REVISION, "default")) == 2)
        assert cluster.store.find(REVISION, "default", "hello-00001") is not None

    simulate(story)


@pytest.mark.covers("Knative traffic", "going back to a revision by its name")
def test_going_back_to_a_revision_by_its_name() -> None:
    """As upstream's test of a rollback: the template names an older revision, with its spec."""

    async def story(cluster: Simulation) -> None:
        cluster.store.create(KSERVICE, kservice(revision="hello-first", target="One"))
        await cluster.ready()
        for name, target in (("hello-second", "Two"), ("hello-first", "One")):
            current = cluster.store.get(KSERVICE, "default", "hello")
            cluster.store.update(
                KSERVICE, {**current, "spec": kservice(revision=name, target=target)["spec"]}
            )
            ready = await cluster.ready()
            assert ready["status"]["latestReadyRevisionName"] == name
            assert [t["revisionName"] for t in ready["status"]["traffic"]] == [name]
        assert len(cluster.store.list(REVISION, "default")) == 2

    simulate(story)
