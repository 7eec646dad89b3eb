"""KIngress objects as routings."""

from infra.embedded.gateway.routes import Split, routing
from tests.support.kingress import ingress, split


def test_hosts_splits_and_audiences() -> None:
    one = routing(ingress(split("hello-00001", 100)))
    assert [(rule.hosts, rule.external) for rule in one.rules] == [
        (("hello.default",), False),
        (("hello.default.example.com",), True),
    ]
    assert set(one.splits) == {Split("default", "hello-00001", 100)}


def test_headers_for_the_activator_are_not_for_the_app() -> None:
    one = routing(ingress(split("a", 100, **{"Knative-Serving-Tag": "blue"})))
    assert next(one.splits).headers == (("Knative-Serving-Tag", "blue"),)


def test_a_split_without_requests_is_left_out() -> None:
    one = routing(ingress(split("a", 100), split("b", 0)))
    assert {s.service for s in one.splits} == {"a"}


def test_equal_specs_have_equal_versions_and_others_have_not() -> None:
    first = routing(ingress(split("a", 100)))
    assert first.version == routing(ingress(split("a", 100))).version
    assert first.version != routing(ingress(split("b", 100))).version


def test_more_special_paths_come_first() -> None:
    wanted = ingress()
    wanted["spec"]["rules"] = [
        {
            "hosts": ["h"],
            "http": {
                "paths": [
                    {"splits": [split("default", 100)]},
                    {"splits": [split("deep", 100)], "path": "/deep"},
                    {
                        "splits": [split("tagged", 100)],
                        "headers": {"Knative-Serving-Tag": {"exact": "blue"}},
                    },
                ]
            },
        }
    ]
    paths = routing(wanted).rules[0].paths
    assert [path.splits[0].service for path in paths] == ["deep", "tagged", "default"]
    assert paths[1].match == (("Knative-Serving-Tag", "blue"),)


def test_redirects_to_https() -> None:
    assert routing(ingress(split("a", 100), httpOption="Redirected")).redirect
    assert not routing(ingress(split("a", 100))).redirect
