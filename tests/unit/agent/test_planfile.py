"""Reading plans: every mistake is named, and what the gateway would answer itself is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.agent.plan import Plan, Target
from probes.agent.planfile import PlanError, parse_plan


def errors_of(target: dict[str, Any], **plan: Any) -> list[str]:
    document = {"targets": [{"name": "a", "url": "http://x/", **target}], **plan}
    try:
        parse_plan(json.dumps(document))
    except PlanError as error:
        return error.errors
    return []


def test_a_minimal_plan_has_the_defaults() -> None:
    plan = parse_plan('{"targets": [{"name": "a", "url": "http://x/"}]}')
    assert plan == Plan(targets=(Target(name="a", url="http://x/"),))


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ({"rate": -1}, "rate: expected 0.001 to 100000 per s"),
        ({"rate": 1e-300}, "rate: expected 0.001"),
        ({"rate": True}, "rate: expected an integer or a number, got a boolean"),
        ({"rate": math.nan}, "rate: expected 0.001"),
        ({"timeout": math.inf}, "timeout: expected more than 0"),
        ({"offset": math.inf}, "offset: expected 0 to 86400 seconds"),
        ({"dns": {"timeout": math.nan}}, "dns.timeout: expected more than 0"),
        ({"requests": 1.5}, "requests: expected an integer, got a number"),
        ({"url": "x"}, "url: expected a scheme of http, https, tcp, tls, dns, got none"),
        ({"url": "http:///x"}, "url: no host in it"),
        ({"url": "http://x:99999/"}, "url: Port out of range"),
        ({"url": "http://x:0/"}, "url: port 0 cannot be connected to"),
        ({"url": "http://u:p@x/"}, "url: credentials do not belong in it"),
        ({"url": "http://x/a b"}, "url: only visible ASCII"),
        ({"url": "tcp://x"}, "url: tcp:// needs a port"),
        ({"method": "GE T"}, "method: expected an HTTP token"),
        ({"headers": [["a"]]}, "headers[0]: expected a pair [name, value]"),
        ({"headers": [["a b", "c"]]}, "headers: 'a b' is not a header name"),
        ({"headers": [["a", "b\r\nc: d"]]}, "headers: the value of a has characters"),
        ({"headers": [["Content-Length", "3"]]}, "headers: Content-Length is set by the prober"),
        ({"resolve": ["x:80"]}, "resolve[0]: expected HOST:PORT:ADDRESS"),
        ({"connect_to": ["x"]}, "connect_to[0]: expected HOST1:PORT1:HOST2:PORT2"),
        ({"dns": {"mode": "magic"}}, "dns.mode: expected system, auto or servers"),
        ({"dns": {"mode": "servers"}}, "dns.servers: goes with mode servers"),
        ({"dns": {"mode": "servers", "servers": ["x"]}}, "dns.servers[0]: expected ADDRESS[:PORT]"),
        ({"expect": {"status": ["20x"]}}, "expect.status: expected entries"),
        ({"expect": {"body": {"regex": "("}}}, "expect.body.regex: not a regular expression"),
        ({"expect": {"bodies": {}}}, "expect.bodies: unknown key; known are body, status"),
    ],
)
def test_each_mistake_is_named(target: dict[str, Any], error: str) -> None:
    (found,) = errors_of(target)
    assert found.startswith(f"plan.targets[0].{error}")


@pytest.mark.parametrize(
    "header",
    [
        ("User-Agent", "kube-probe/1.33"),
        ("user-agent", "Kube-Probe/"),
        ("User-Agent", "Knative-Ingress-Probe"),
        ("K-Kubelet-Probe", "queue"),
        ("K-Network-Probe", "probe"),
    ],
)
def test_a_prober_cannot_look_like_a_kubelet_or_knative(header: tuple[str, str]) -> None:
    (found,) = errors_of({"headers": [list(header)]})
    assert "would be answered by the gateway itself" in found


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        ({"version": 2}, "plan.version: expected 1"),
        ({"concurrency": 0}, "plan.concurrency: expected 1 to 10000"),
        ({"samples": "some"}, "plan.samples: expected all, failures or none"),
        ({"output": ""}, "plan.output: expected a path or -"),
        ({"start_at": math.nan}, "plan.start_at: expected UTC in seconds since the epoch"),
        ({"start_at": math.inf}, "plan.start_at: expected UTC in seconds since the epoch"),
        ({"start_at": 1.8e12}, "plan.start_at: expected UTC in seconds since the epoch"),
        ({"targets": []}, "plan.targets: expected at least one"),
        ({"targets": [{"name": "a", "url": "http://x/"}] * 2}, "plan.targets: each name"),
        ({"targets": {}}, "plan.targets: expected a list, got an object"),
    ],
)
def test_mistakes_of_the_whole_plan(plan: dict[str, Any], error: str) -> None:
    (found,) = errors_of({}, **plan)
    assert found.startswith(error)


def test_endless_nesting_is_no_json() -> None:
    with pytest.raises(PlanError, match="plan: not JSON"):
        parse_plan("[" * 100_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@given(st.sampled_from([*Target.__dataclass_fields__, "nonsense"]), json_values)
def test_no_value_raises_anything_but_a_plan_error(key: str, value: Any) -> None:
    assert isinstance(errors_of({key: value}), list)
