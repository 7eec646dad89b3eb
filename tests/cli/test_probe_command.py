"""`vpm probe` and `vpm load`: options, what is shown, and metrics; without a cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from typing import Any
from urllib.request import urlopen

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from harness.cli.load import load
from harness.cli.load import read_options as read_load_options
from harness.cli.missing import mend_missing
from harness.cli.probe import probe, read_objective, read_options
from harness.cli.probe_metrics import ProbeMetrics, parse_address
from harness.cli.probe_round import Round, judge_probes, round_as_json
from harness.cli.probe_view import render, render_line
from harness.core.errors import EnvironmentProblem, UsageError
from harness.core.observation import Quantiles
from harness.spec.model import ProbeAction
from tests.support.fakes import READY, probed

ACTION = ProbeAction.model_validate({"service": "hello", "vantages": ["devbox"]})
LATENCY = Quantiles(20, 0.004, 0.002, 0.003, 0.005, 0.006, 0.009, 0.01)


def given(command: click.Command, *arguments: str) -> dict[str, Any]:
    """The values that click gives a command for these arguments."""
    return command.make_context("vpm", list(arguments)).params


def a_round() -> Round:
    """devbox refused at every attempt, the cluster's own pod answered every one."""
    inside = replace(
        probed("in-cluster"),
        latency=LATENCY,
        phases={"wait": LATENCY, "resolve": LATENCY},
        statuses={"200": 20},
        histogram=((0.0032, 15), (0.0128, 5)),
    )
    probes = (probed("devbox", good=0), inside)
    claim, details = judge_probes(READY, probes, ACTION)
    sample = {"record": "sample", "outcome": "ok", "warmup": False, "duration_s": 0.004}
    return Round(READY, probes, claim, details, {"in-cluster": (sample, sample)})


def test_the_defaults_probe_from_three_places() -> None:
    asked = read_options(given(probe, "hello"))
    assert asked.action.vantages == ("devbox", "gateway", "in-cluster")
    assert (asked.action.requests, asked.action.rate, asked.interval) == (20, 10.0, None)


def test_options_become_an_action() -> None:
    arguments = ["--vantage", "devbox, node", "--rate", "30/m", "--header", "X-A: b:c"]
    arguments += ["--contains", "Hello", "--objective", "latency<=250ms>=95%:proven", "--watch"]
    asked = read_options(given(probe, "hello", *arguments))
    assert asked.action.vantages == ("devbox", "node")
    assert (asked.action.rate, asked.action.headers) == (0.5, {"X-A": "b:c"})
    assert asked.action.body is not None
    assert asked.action.body.contains == "Hello"
    (objective,) = asked.action.objectives
    assert (objective.threshold, objective.target, objective.judge) == (0.25, 0.95, "proven")
    assert asked.interval == 5.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vantage", "moon"], "--vantage: 'moon' is not a vantage"),
        (["--vantage", ""], "--vantage: []"),
        (["--vantage", "devbox,devbox"], "the vantage 'devbox' is listed twice"),
        (["--objective", "latency>=99%"], "--objective"),
        (["--rate", "fast"], "--rate: 'fast' is not a rate"),
        (["--requests", "0"], "--requests: 0 should be greater than or equal to 1"),
        (["--method", "get"], "--method: 'get' should match"),
        (["--upload", "5"], "upload needs a method of POST, PUT, PATCH"),
        (["--resolver", "bücher:53"], "--resolver: 'bücher:53' is not ADDRESS[:PORT]"),
        (["--resolve", "bücher"], "--resolve: 'bücher' is not an IPv4 or IPv6 address"),
        (["--path", "/é"], "--path: '/é' may only hold visible ASCII"),
        (["--header", "nothing"], "is not NAME:VALUE"),
        (["--objective", "success"], "is not an objective"),
        (["--watch", "--interval", "soon"], "--interval soon"),
        (["--metrics", "9115x"], "is not [HOST]:PORT"),
    ],
)
def test_bad_options_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_options(given(probe, "hello", *arguments))
    assert message in str(caught.value)


@pytest.mark.parametrize("service", ["localhost:8080/", "default/hello", "Hello", "", "-"])
def test_what_is_no_name_is_not_asked_for(service: str) -> None:
    with pytest.raises(UsageError, match="neither the name of a KService nor a URL"):
        read_options(given(probe, "--", service))


@pytest.mark.parametrize(
    ("found", "mend"),
    [
        ((), "this cluster has no KService at all"),
        ((("demo", "hello"), ("demo", "other")), "it is in another namespace: --namespace demo"),
        ((("a", "x"), ("b", "y")), "there are: a/x, b/y"),
        (tuple(("a", f"s{n}") for n in range(10)), "a/s7 and 2 more"),
    ],
)
def test_a_missing_service_is_told_with_what_there_is(
    found: tuple[tuple[str, str], ...], mend: str
) -> None:
    assert mend in mend_missing("hello", found)


@pytest.mark.parametrize("server", ["127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:53", "[::1]"])
def test_a_resolver_is_an_address_with_or_without_a_port(server: str) -> None:
    assert read_options(given(probe, "hello", "--resolver", server)).action.resolver == server


@pytest.mark.parametrize("server", ["", ":53", "127.0.0.1:0", "127.0.0.1:x", "[::1", "[::1]x"])
def test_what_is_no_resolver_is_refused(server: str) -> None:
    with pytest.raises(UsageError, match="is not ADDRESS"):
        read_options(given(probe, "hello", "--resolver", server))


def test_what_is_wrong_with_options_together_says_no_more() -> None:
    with pytest.raises(UsageError) as caught:
        read_options(given(probe, "hello", "--upload", "5"))
    assert str(caught.value) == "upload needs a method of POST, PUT, PATCH"


def test_all_bad_options_are_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        read_options(given(probe, "hello", "--rate", "fast", "--timeout", "long"))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("success>=99%", {"metric": "success", "target": "99%"}),
        (
            "latency<=500ms>=95%",
            {"metric": "latency", "threshold": "500ms", "target": "95%"},
        ),
        ("success>=0.9:proven", {"metric": "success", "target": "0.9", "judge": "proven"}),
    ],
)
def test_an_objective_is_written_as_it_is_read(text: str, fields: dict[str, str]) -> None:
    assert read_objective(text) == fields


def test_a_person_sees_matrix_histogram_and_verdict() -> None:
    console = Console(file=StringIO(), width=200)
    console.print(render(a_round()))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "│ connect  │   0/20 │      20/20 │" in text
    assert "│ wait     │      · │      20/20 │" in text
    assert "devbox: 0 good of 20 valid of 20 in all; connect_refused 20\n" in text
    assert "in-cluster: 20 good of 20 valid of 20 in all; ok 20; 2xx 20" in text
    assert "in-cluster: p50 3 ms  p95 6 ms  p99 9 ms  max 10 ms  (n=20)" in text
    assert "INCONCLUSIVE default/hello service at hop connect of vantage devbox" in text
    assert "the gateway is not exposed on the host" in text
    assert "next: ss -ltn" in text


def test_a_log_gets_a_line_for_a_round_and_the_reasons_if_it_did_not_pass() -> None:
    console = Console(file=StringIO(), width=400)
    console.print(render_line(a_round()))
    first, *reasons = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "Z INCONCLUSIVE default/hello service at hop connect of vantage devbox" in first
    assert any("next: ss -ltn" in line for line in reasons)


def test_a_program_gets_everything() -> None:
    content = json.loads(json.dumps(round_as_json(a_round())))
    assert content["verdict"] == "INCONCLUSIVE"
    assert content["claim"]["hop"] == "connect"
    assert [seen["vantage"] for seen in content["probes"]] == ["devbox", "in-cluster"]
    assert [seen["status_classes"] for seen in content["probes"]] == [{}, {"2xx": 20}]
    assert len(content["samples"]["in-cluster"]) == 2


@pytest.mark.parametrize(
    ("text", "address"),
    [(":9115", ("127.0.0.1", 9115)), ("9115", ("127.0.0.1", 9115)), ("0.0.0.0:1", ("0.0.0.0", 1))],
)
def test_metrics_are_on_loopback_unless_a_host_is_given(
    text: str, address: tuple[str, int]
) -> None:
    assert parse_address(text) == address


def test_metrics_are_served_under_the_names_of_blackbox_exporter() -> None:
    metrics = ProbeMetrics.served(("127.0.0.1", 0))
    try:
        metrics.observe(a_round())
        metrics.observe(a_round())
        with urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        metrics.close()
    devbox = 'namespace="default",service="hello",vantage="devbox"'
    inside = 'namespace="default",service="hello",vantage="in-cluster"'
    for line in (
        f"probe_success{{{devbox}}} 0.0",
        f"probe_success{{{inside}}} 1.0",
        f"probe_duration_seconds{{{inside}}} 0.004",
        f"probe_http_status_code{{{inside}}} 200.0",
        f"probe_dns_lookup_time_seconds{{{inside}}} 0.004",
        f"vpm_probe_valid_total{{{devbox}}} 40.0",
        f"vpm_probe_good_total{{{inside}}} 40.0",
        f"vpm_probe_latency_seconds_count{{{inside}}} 4.0",
        'vpm_probe_answers_total{namespace="default",service="hello",status_class="2xx",'
        'vantage="in-cluster"} 40.0',
    ):
        assert line in text.splitlines()
    phase = 'phase="processing",service="hello",vantage="in-cluster"'
    assert f'probe_http_duration_seconds{{namespace="default",{phase}}} 0.004' in text
    assert 'outcome="connect_refused",service="hello",vantage="devbox"} 40.0' in text


def test_a_port_that_is_taken_is_named() -> None:
    metrics = ProbeMetrics.served(("127.0.0.1", 0))
    try:
        with pytest.raises(EnvironmentProblem, match="cannot serve metrics on"):
            ProbeMetrics.served(("127.0.0.1", metrics.port))
    finally:
        metrics.close()


def test_load_options_become_gates() -> None:
    action = read_load_options(given(load, "hello", "--p95", "500ms", "--min-requests", "9"))
    assert (action.gates.p95, action.gates.requests, action.gates.success) == (0.5, 9, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--duration", "long"], "duration: 'long'"), (["--success", "200%"], "success: '200%'")],
)
def test_bad_load_options_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_load_options(given(load, "hello", *arguments))
    assert message in str(caught.value)


@pytest.mark.parametrize("command", [probe, load])
def test_help_names_every_default(command: click.Command) -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    assert "[default: default]" in " ".join(result.output.split())
