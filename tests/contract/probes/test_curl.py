"""curl in the engine's place: the same outcomes at the same bad servers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.core.errors import ProbeError
from probes.curl import curl_records, curl_script, outcome_of
from probes.samples import AgentOutput, read_output
from tests.contract.agent import servers
from tests.contract.agent.servers import Server
from tests.contract.probes.worlds import (
    BY_APP,
    BY_GATEWAY,
    GOOD,
    answering,
    closing,
    hanging,
    resetting,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def run(port: int, **fields: Any) -> AgentOutput:
    """Two requests to a port by a real curl, read as the engine's are."""
    target = {
        "name": "t",
        "url": f"http://127.0.0.1:{port}/",
        "requests": 2,
        "rate": 50.0,
        "timeout": 0.5,
        "expect": {"status": ["200"], "body": {"contains": "metrics-echo ok"}},
        **fields,
    }
    plan = {"targets": [target]}
    done = subprocess.run(
        ["sh", "-c", curl_script(plan)], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stderr == ""
    return read_output(curl_records(done.stdout, plan, host="node", now=NOW), rates={"t": 50.0})


Place = Callable[[], AbstractContextManager[Server]]


@pytest.mark.parametrize(
    ("place", "outcome"),
    [
        (lambda: servers.serve(answering(GOOD)), "ok"),
        (servers.closed_port, "connect_refused"),
        (servers.full_backlog, "connect_timeout"),
        (lambda: servers.serve(hanging), "wait_timeout"),
        (lambda: servers.serve(resetting), "reset"),
        (lambda: servers.serve(closing), "closed_without_response"),
        (lambda: servers.serve(answering(GOOD[:-10])), "truncated"),
        (lambda: servers.serve(answering(BY_GATEWAY[404])), "status_mismatch"),
        (lambda: servers.serve(answering(GOOD.replace(b"echo ok", b"echo no"))), "body_mismatch"),
    ],
    ids=[
        "good", "closed", "full", "hanging", "resetting", "closing", "cut", "404", "other body"
    ],
)  # fmt: skip
def test_curl_names_what_the_engine_would(place: Place, outcome: str) -> None:
    with place() as server:
        output = run(server.port)
    assert [found.sample.outcome for found in output.attempts["t"]] == [outcome, outcome]
    assert output.ended == "completed"


def test_who_answered_is_read_from_headers() -> None:
    with (
        servers.serve(answering(BY_APP[500])) as behind,
        servers.serve(answering(BY_GATEWAY[503])) as itself,
    ):
        (first, _), (second, _) = (run(one.port).attempts["t"] for one in (behind, itself))
    assert (first.sample.through_gateway, first.sample.by_gateway) == (True, False)
    assert (second.sample.through_gateway, second.sample.by_gateway) == (False, True)


def test_phases_add_up_to_the_whole() -> None:
    with servers.serve(answering(GOOD)) as server:
        (found, _) = run(server.port).attempts["t"]
    sample = found.sample
    assert {"connect", "wait", "transfer"} <= set(sample.phases)
    assert sum(sample.phases.values()) == pytest.approx(sample.seconds, abs=0.002)
    assert sample.peer == f"127.0.0.1:{server.port}"
    assert sample.revision == "metrics-echo-00001"


def test_headers_and_names_cannot_leave_the_command_line() -> None:
    with servers.serve(answering(GOOD)) as server:
        output = run(
            server.port,
            headers=[["X-A", "'; echo gotcha >&2; '"]],
            url=f"http://127.0.0.1:{server.port}/?a=$(id>&2)&b=`id>&2`",
        )
    assert [found.sample.outcome for found in output.attempts["t"]] == ["ok", "ok"]


def test_a_host_is_connected_to_another_address() -> None:
    with servers.serve(answering(GOOD)) as server:
        output = run(
            1,
            url="http://hello.example/",
            connect_to=[f"hello.example:80:127.0.0.1:{server.port}"],
        )
    assert [found.sample.outcome for found in output.attempts["t"]] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        ({"exitcode": 6}, "dns_not_found"),
        ({"exitcode": 7, "errormsg": "No route to host"}, "connect_unreachable"),
        ({"exitcode": 28}, "dns_timeout"),
        ({"exitcode": 28, "time_namelookup": 0.1}, "connect_timeout"),
        (
            {
                "exitcode": 28,
                "url": "https://h/",
                "time_namelookup": 0.1,
                "time_connect": 0.2,
            },
            "tls_timeout",
        ),
        (
            {
                "exitcode": 28,
                "time_namelookup": 0.1,
                "time_connect": 0.2,
                "time_starttransfer": 0.3,
            },
            "transfer_timeout",
        ),
        ({"exitcode": 35}, "tls_error"),
        ({"exitcode": 60, "errormsg": "self-signed certificate"}, "tls_untrusted"),
        ({"exitcode": 60, "errormsg": "certificate has expired"}, "tls_expired"),
        ({"exitcode": 60, "errormsg": "no matching subject name"}, "tls_name_mismatch"),
        ({"exitcode": 2, "errormsg": "option unknown"}, "prober_error"),
    ],
)  # fmt: skip
def test_curls_exit_codes_become_outcomes(seen: dict[str, Any], outcome: str) -> None:
    assert outcome_of(seen, "", {})[0] == outcome


@pytest.mark.parametrize("output", ["@@vpm 9 0 1.0\n", "@@vpm x\n", "@@vpm 0 0 1.0\nnot json\n"])
def test_output_that_is_not_the_scripts_is_refused(output: str) -> None:
    plan = {"targets": [{"name": "t", "requests": 1}]}
    with pytest.raises((ProbeError, ValueError)):
        json.dumps([line.decode() for line in curl_records(output, plan, host="n", now=NOW)])
