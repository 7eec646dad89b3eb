"""The scenario parser: every problem at once, each at its place, with what would be right."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.parse import read_scenario

HEAD = """\
apiVersion: vpm.dev/v1
kind: Scenario
name: sample
services:
  hello: {manifest: hello.yaml}
steps:
"""


def problems(text: str) -> list[str]:
    return sorted(str(problem) for problem in read_scenario(text, "s.yaml").problems)


def steps(text: str) -> str:
    return HEAD + textwrap.indent(textwrap.dedent(text), "  ")


def test_a_good_scenario_is_read_into_types() -> None:
    parsed = read_scenario(
        steps("""\
        - name: ready hello
          ready: {service: hello, timeout: 90s}
        - name: probe hello
          needs: [ready hello]
          probe: {service: hello, vantages: [devbox], rate: 30/m, timeout: 250ms}
        """),
        "s.yaml",
    )
    assert parsed.problems == ()
    assert parsed.scenario is not None
    ready, probe = parsed.scenario.steps
    assert ready.ready is not None
    assert ready.ready.timeout == 90
    assert probe.probe is not None
    assert (probe.probe.rate, probe.probe.timeout, probe.probe.requests) == (0.5, 0.25, 20)
    assert probe.needs == ("ready hello",)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(
            "- name: a\n  raedy: {service: hello}",
            "s.yaml:8:5: unknown key 'raedy'; did you mean 'ready'?",
            id="misspelt action",
        ),
        pytest.param(
            "- name: a\n  ready: {service: hello, timout: 5s}",
            "s.yaml:8:29: unknown key 'timout'; did you mean 'timeout'?",
            id="misspelt key",
        ),
        pytest.param(
            "- name: a\n  ready: {service: helo}",
            "s.yaml:8:22: the service 'helo' is not declared under services; did you mean 'hello'?",
            id="unknown service",
        ),
        pytest.param(
            "- name: a\n  ready: {service: hello, timeout: 5}",
            "s.yaml:8:38: 5 is not a duration; write a number and ms, s, m or h, such as 5s",
            id="duration without a unit",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbx]}",
            "s.yaml:8:40: 'devbx' is not a vantage; did you mean 'devbox'?",
            id="misspelt vantage",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: []}",
            "s.yaml:8:39: the list is empty",
            id="no vantage",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbox, devbox]}",
            "s.yaml:8:12: the vantage 'devbox' is listed twice",
            id="a vantage twice",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbox], requests: many}",
            "s.yaml:8:59: input should be a valid integer (found 'many')",
            id="wrong type",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbox]}\n"
            "  expect: {verdict: FAIL, diagnosis: gateway-not-expose}",
            "s.yaml:9:40: 'gateway-not-expose' is not a diagnosis; "
            "did you mean 'gateway-not-exposed'?",
            id="a misspelt diagnosis",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbox], requests: -3}",
            "s.yaml:8:59: input should be greater than or equal to 1 (found -3)",
            id="too small",
        ),
        pytest.param(
            "- name: a\n  needs: [b]\n  ready: {service: hello}",
            "s.yaml:8:13: the step 'b' does not exist; none is known here",
            id="unknown need",
        ),
        pytest.param(
            "- name: a\n  needs: [a]\n  ready: {service: hello}",
            "s.yaml:8:13: the step 'a' does not come before this one",
            id="needs itself",
        ),
        pytest.param(
            "- name: a\n  ready: {service: hello}\n- name: a\n  ready: {service: hello}",
            "s.yaml:9:11: the step 'a' exists already",
            id="the same name",
        ),
        pytest.param(
            "- name: a",
            "s.yaml:7:5: the step has no action;"
            " write exactly one of apply, contract, ready, probe, load, evidence, fault",
            id="no action",
        ),
        pytest.param(
            "- name: a\n  ready: {service: hello}\n  apply: {service: hello}",
            "s.yaml:7:5: the step has apply and ready;"
            " write exactly one of apply, contract, ready, probe, load, evidence, fault",
            id="two actions",
        ),
        pytest.param(
            "- name: a\n  expect: {verdict: INCONCLUSVE}\n  ready: {service: hello}",
            "s.yaml:8:23: 'INCONCLUSVE' is not one of 'PASS', 'INCONCLUSIVE', 'FAIL' or 'ERROR';"
            " did you mean 'INCONCLUSIVE'?",
            id="unknown verdict",
        ),
        pytest.param(
            "- name: a\n  evidence: {service: hello, claim: ready, copy: ../../etc/passwd}",
            "s.yaml:8:52: '../../etc/passwd' is not allowed here; it must match"
            " ^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$",
            id="copy out of reports",
        ),
        pytest.param(
            "- name: a\n  ready: {service: hello, timeout: 169h}",
            "s.yaml:8:38: '169h' is longer than a week (168h)",
            id="timeout that overflows",
        ),
        pytest.param(
            "- name: a\n  load: {service: hello, duration: 0s}",
            "s.yaml:8:38: '0s' must be more than nothing",
            id="load without end",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbox], rate: 0.001/h}",
            "s.yaml:8:12: 20 requests at this rate take longer than a week",
            id="probe without end",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbox], path: /bücher}",
            "s.yaml:8:55: '/bücher' may only hold visible ASCII: percent-encode the rest",
            id="path that no request line can have",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbox], resolve: bücher.example}",
            "s.yaml:8:58: 'bücher.example' is not an IPv4 or IPv6 address",
            id="resolve to a name",
        ),
        pytest.param(
            "- name: a\n  probe: {service: hello, vantages: [devbox], upload: 9}",
            "s.yaml:8:12: upload needs a method of POST, PUT, PATCH",
            id="upload with GET",
        ),
    ],
)
def test_a_wrong_step(step: str, expected: str) -> None:
    assert problems(steps(step)) == [expected]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("{metric: latency, target: 95%}", "a latency objective needs a threshold"),
        ("{metric: success, target: 95%, threshold: 1s}", "a success objective takes no threshold"),
        ("{metric: success, target: 120%}", "'120%' is not a ratio; write a percentage"),
    ],
)
def test_a_wrong_objective(objective: str, expected: str) -> None:
    step = f"- name: a\n  probe: {{service: hello, vantages: [devbox], objectives: [{objective}]}}"
    (found,) = problems(steps(step))
    assert expected in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "s.yaml:1:1: the file is empty; write exactly one document"),
        ("a: [", "s.yaml:1:5: not YAML: expected the node content, but found '<stream end>'"),
        ("a: 1\n---\nb: 2\n", "s.yaml:1:1: the file has more than one document"),
        ("a: 1\na: 2\n", "s.yaml:2:1: the key 'a' is written twice; it stands first at line 1"),
        ("a: &x [*x]\n", "aliases repeat too much or contain themselves"),
        ("services:\n  Big: {}\n", "s.yaml:2:3: 'Big' is not allowed here; it must match"),
        ("[" * 600, "s.yaml:1:1: the file is nested too deeply"),
        ("~\n", "s.yaml:1:1: input should be a mapping of keys to values"),
        ("- 1\n", "s.yaml:1:1: input should be a mapping of keys to values"),
        ("\tname: x\n", "not YAML: found character '\\t' that cannot start any token"),
    ],
)
def test_a_wrong_file(text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


def test_aliases_that_grow_without_end_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert any("aliases repeat too much" in problem for problem in problems("\n".join(lines)))


def test_all_problems_are_reported_together() -> None:
    text = steps("""\
    - name: a
      needs: [zz]
      raedy: {service: hello}
    - name: a
      probe: {service: helo, vantages: [devbx], rate: 10}
    """)
    places = [problem.split(": ")[0] for problem in problems(text)]
    assert places == [
        "s.yaml:10:11",
        "s.yaml:11:22",
        "s.yaml:11:39",
        "s.yaml:11:53",
        "s.yaml:8:13",
        "s.yaml:9:5",
    ]


@given(st.text(max_size=200))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    parsed = read_scenario(text, "s.yaml")
    assert (parsed.scenario is None) == bool(parsed.problems)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["steps", "name", "probe", "ready", "service", "services", "needs", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    )
)
def test_no_structure_makes_the_parser_fail(value: object) -> None:
    import yaml

    parsed = read_scenario(yaml.safe_dump(value), "s.yaml")
    assert all(problem.line >= 1 and problem.column >= 1 for problem in parsed.problems)
