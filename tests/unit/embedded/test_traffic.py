"""From a Route's traffic to targets and an ingress."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.controllers.serving import domains, rollout
from infra.embedded.controllers.serving.config import Domain, NetworkConfig
from infra.embedded.controllers.serving.ingress import ingress_of
from infra.embedded.controllers.serving.traffic import Problem, Target, Traffic, assign

Obj = dict[str, Any]
NETWORK = NetworkConfig(
    "kourier.ingress.networking.knative.dev",
    "{{.Name}}.{{.Namespace}}.{{.Domain}}",
    "{{.Tag}}-{{.Name}}",
    "Enabled",
    0.0,
)
DOMAINS = [Domain("127.0.0.1.sslip.io", {})]


def revision(name: str, ready: str = "True", port: str = "http1") -> Obj:
    conditions = [{"type": "Ready", "status": ready}]
    status = {"observedGeneration": 1, "conditions": conditions}
    spec = {"containers": [{"ports": [{"name": port}]}]}
    return {"metadata": {"name": name, "generation": 1}, "spec": spec, "status": status}


def configuration(name: str, latest: str = "", ready: str = "True") -> Obj:
    status = {"latestReadyRevisionName": latest} if latest else {}
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": name}, "status": {**status, "conditions": conditions}}


REVISIONS = {name: revision(name) for name in ("split-blue", "split-green")}
CONFIGURATIONS = {"split": configuration("split", "split-green")}


def latest(percent: int = 100, **extra: Any) -> Obj:
    return {"configurationName": "split", "latestRevision": True, "percent": percent, **extra}


def named(name: str, percent: int, **extra: Any) -> Obj:
    return {"revisionName": name, "latestRevision": False, "percent": percent, **extra}


def test_the_latest_ready_revision_gets_the_traffic_of_its_configuration() -> None:
    traffic = assign([latest()], CONFIGURATIONS, REVISIONS)
    assert traffic.targets == (Target("split-green", 100, latest=True, configuration="split"),)


def test_a_single_target_gets_everything_on_its_tags_host() -> None:
    spec = [named("split-blue", 80, tag="blue"), latest(20, tag="canary")]
    traffic = assign(spec, CONFIGURATIONS, REVISIONS)
    assert traffic.by_tag is not None
    assert {
        tag: [(t.revision, t.percent) for t in group] for tag, group in traffic.by_tag.items()
    } == {
        "": [("split-blue", 80), ("split-green", 20)],
        "blue": [("split-blue", 100)],
        "canary": [("split-green", 100)],
    }


def test_the_same_revision_listed_twice_is_merged() -> None:
    traffic = assign([named("split-blue", 50), named("split-blue", 50)], {}, REVISIONS)
    assert [(t.revision, t.percent) for t in traffic.targets] == [("split-blue", 100)]


@pytest.mark.parametrize(
    ("spec", "configurations", "expected"),
    [
        ([named("x", 100)], {}, Problem(
            "RevisionMissing", 'Revision "x" referenced in traffic not found.', True)),
        ([latest()], {}, Problem(
            "ConfigurationMissing",
            'Configuration "split" referenced in traffic not found.', True)),
        ([latest()], {"split": configuration("split", ready="Unknown")}, Problem(
            "RevisionMissing",
            'Configuration "split" is waiting for a Revision to become ready.', False)),
        ([latest()], {"split": configuration("split", ready="False")}, Problem(
            "RevisionMissing", 'Configuration "split" does not have any ready Revision.', True)),
        ([named("starting", 100)], {}, Problem(
            "RevisionMissing", 'Revision "starting" is not yet ready.', False)),
        ([named("broken", 100)], {}, Problem(
            "RevisionMissing", 'Revision "broken" failed to become ready.', True)),
        # a failure outweighs what may still come
        ([named("starting", 50), named("broken", 50)], {}, Problem(
            "RevisionMissing", 'Revision "broken" failed to become ready.', True)),
    ],
)  # fmt: skip
def test_problems(spec: list[Obj], configurations: dict[str, Obj], expected: Problem) -> None:
    revisions = {"starting": revision("starting", "Unknown"), "broken": revision("broken", "False")}
    traffic = assign(spec, configurations, revisions)
    assert (traffic.problem, traffic.targets, traffic.by_tag) == (expected, (), None)


def test_a_failed_revision_still_serves_as_the_latest_ready_one() -> None:
    revisions = {"split-green": revision("split-green", "False")}
    assert assign([latest()], CONFIGURATIONS, revisions).problem is None


ROUTE: Obj = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Route",
    "metadata": {"name": "split", "namespace": "split", "uid": "u", "labels": {"a": "b"}},
}


def built(traffic: Traffic, local: frozenset[str], network: NetworkConfig) -> Obj:
    """The ingress of traffic that is not being moved."""
    assert traffic.by_tag is not None
    goal = rollout.target(traffic.by_tag)
    return ingress_of(ROUTE, traffic.by_tag, goal, local, network, DOMAINS)


def test_the_recorded_split_gives_the_recorded_ingress() -> None:
    """golden 05-gateway/traffic-split: blue 80, green 20, latest 0, each with a tag."""
    spec = [
        named("split-blue", 80, tag="blue"),
        named("split-green", 20, tag="green"),
        latest(0, tag="latest"),
    ]
    traffic = assign(spec, CONFIGURATIONS, REVISIONS)
    ingress = built(traffic, frozenset(), NETWORK)
    rules = ingress["spec"]["rules"]
    assert [rule["hosts"][-1] for rule in rules] == [
        "split.split.svc.cluster.local",
        "split.split.127.0.0.1.sslip.io",
        "blue-split.split.svc.cluster.local",
        "blue-split.split.127.0.0.1.sslip.io",
        "green-split.split.svc.cluster.local",
        "green-split.split.127.0.0.1.sslip.io",
        "latest-split.split.svc.cluster.local",
        "latest-split.split.127.0.0.1.sslip.io",
    ]
    shares = [[(s["serviceName"], s["percent"]) for s in _splits(rule)] for rule in rules]
    both, blue, green = (
        [("split-blue", 80), ("split-green", 20)],
        [("split-blue", 100)],
        [("split-green", 100)],
    )
    assert shares == [both, both, blue, blue, green, green, green, green]
    rollout = json.loads(
        ingress["metadata"]["annotations"]["networking.internal.knative.dev/rollout"]
    )
    assert rollout == {
        "configurations": [
            {
                "configurationName": "split",
                "tag": "latest",
                "percent": 100,
                "revisions": [{"revisionName": "split-green", "percent": 100}],
                "stepParams": {},
            }
        ]
    }


def _splits(rule: Obj) -> list[Obj]:
    found: list[Obj] = rule["http"]["paths"][0]["splits"]
    return found


def test_http2_in_clear_text_has_a_port_of_its_own() -> None:
    traffic = assign([named("h2", 100)], {}, {"h2": revision("h2", port="h2c")})
    ingress = built(traffic, frozenset(), NETWORK)
    assert [s["servicePort"] for s in _splits(ingress["spec"]["rules"][0])] == [81]


def test_cluster_local_hosts_have_no_public_rule() -> None:
    traffic = assign([latest()], CONFIGURATIONS, REVISIONS)
    ingress = built(traffic, frozenset({""}), NETWORK)
    assert [rule["visibility"] for rule in ingress["spec"]["rules"]] == ["ClusterLocal"]


def test_a_header_can_name_the_tag_where_that_is_enabled() -> None:
    spec = [named("split-blue", 80, tag="blue"), latest(20, tag="canary")]
    traffic = assign(spec, CONFIGURATIONS, REVISIONS)
    network = replace(NETWORK, tag_header=True)
    ingress = built(traffic, frozenset(), network)
    own, blue, canary = (rule["http"]["paths"] for rule in ingress["spec"]["rules"][::2])
    assert [path.get("headers") for path in own] == [
        {"Knative-Serving-Tag": {"exact": "blue"}},
        {"Knative-Serving-Tag": {"exact": "canary"}},
        None,
    ]
    assert [[s["percent"] for s in path["splits"]] for path in own] == [[100], [100], [80, 20]]
    assert own[-1]["appendHeaders"] == {"Knative-Serving-Default-Route": "true"}
    assert [path["appendHeaders"] for path in (*blue, *canary)] == [
        {"Knative-Serving-Tag": "blue"},
        {"Knative-Serving-Tag": "canary"},
    ]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Name}}.{{.Namespace}}.{{.Domain}}", "blue-split.split.127.0.0.1.sslip.io"),
        ("{{.Name}}-{{ .Namespace }}.{{.Domain}}", "blue-split-split.127.0.0.1.sslip.io"),
    ],
)
def test_hosts_follow_the_template(template: str, expected: str) -> None:
    network = NetworkConfig("", template, NETWORK.tag_template, "Enabled", 0.0)
    assert domains.public_host(ROUTE, "blue", network, DOMAINS) == expected


SHARES = st.lists(st.integers(0, 100), min_size=1, max_size=6)


@given(SHARES, st.booleans())
def test_no_share_is_lost(shares: list[int], tagged: bool) -> None:
    names = ("split-blue", "split-green")
    spec = [
        named(names[n % 2], share, **({"tag": f"t{n}"} if tagged else {}))
        for n, share in enumerate(shares)
    ]
    traffic = assign(spec, {}, REVISIONS)
    assert traffic.by_tag is not None
    assert sum(t.percent or 0 for t in traffic.targets) == sum(shares)
    main = traffic.by_tag[""]
    expected = 100 if len(main) == 1 else sum(shares)
    assert sum(t.percent or 0 for t in main) == expected
    assert len({t.revision for t in main}) == len(main)
