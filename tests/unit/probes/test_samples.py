"""Reading the engine's lines: what becomes a sample, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import ProbeError
from probes.samples import AgentOutput, read_output

START = {
    "record": "start",
    "clock": {"utc_ns": 1_700_000_000_500_000_000},
    "identity": {"host": "h"},
}
SUMMARY = {"record": "summary", "ended": "completed", "late_start_s": 0.25}


def attempt(seq: int = 0, **fields: Any) -> dict[str, Any]:
    """A sample line as docs/probe-agent.md describes it."""
    return {
        "record": "sample",
        "target": "t",
        "seq": seq,
        "warmup": False,
        "start_utc": "2026-11-22T10:00:00.000000Z",
        "lateness_ns": 1_500_000,
        "duration_s": 0.002,
        "outcome": "ok",
        "phases": {"connect": 0.001, "wait": 0.001},
        **fields,
    }


def read(*records: dict[str, Any], tail: bytes = b"") -> AgentOutput:
    lines = [json.dumps(record).encode() + b"\n" for record in records]
    return read_output([*lines, *([tail] if tail else [])], rates={"t": 10.0})


def test_attempts_come_in_the_order_of_the_schedule() -> None:
    output = read(START, attempt(2), attempt(0), attempt(1), SUMMARY)
    samples = [found.sample for found in output.attempts["t"]]
    assert [sample.id for sample in samples] == ["t#0", "t#1", "t#2"]
    assert [sample.offset for sample in samples] == [0.0, 0.1, 0.2]
    assert samples[0].lateness == 0.0015
    assert (output.utc, output.ended, output.late_start) == (1_700_000_000.5, "completed", 0.25)


@pytest.mark.parametrize(
    ("headers", "through", "by"),
    [
        ({"server": "envoy", "x-envoy-upstream-service-time": "3"}, True, False),
        ({"server": "envoy"}, False, True),
        ({"server": "nginx"}, False, False),
        ({}, False, False),
    ],
)
def test_who_answered_is_read_from_envoys_headers(
    headers: dict[str, str], through: bool, by: bool
) -> None:
    (found,) = read(START, attempt(status=404, headers=headers)).attempts["t"]
    assert (found.sample.through_gateway, found.sample.by_gateway) == (through, by)


def test_an_attempt_without_an_answer_is_nobodys() -> None:
    (found,) = read(START, attempt(outcome="reset")).attempts["t"]
    assert (found.sample.status, found.sample.by_gateway) == (None, False)


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({}, ""),
        (
            {
                "outcome": "connect_refused",
                "detail": "ECONNREFUSED: Connection refused",
                "addresses": [{"address": "127.0.0.1", "port": 80, "result": "connect_refused"}],
            },
            "127.0.0.1:80: ECONNREFUSED: Connection refused",
        ),
        ({"outcome": "dns_not_found", "detail": "no such name"}, "no such name"),
        (
            {
                "outcome": "status_mismatch",
                "detail": "status 404 is not 200",
                "status": 404,
                "headers": {"server": "envoy"},
            },
            "status 404 is not 200; status 404 by envoy, empty body",
        ),
        (
            {
                "outcome": "status_mismatch",
                "detail": "unexpected",
                "status": 504,
                "headers": {"server": "envoy", "x-envoy-upstream-service-time": "2001"},
                "body_head": "activator request timeout",
            },
            "unexpected; status 504 from behind the gateway, body 'activator request timeout'",
        ),
    ],
)
def test_the_detail_says_where_or_who(fields: dict[str, Any], detail: str) -> None:
    (found,) = read(START, attempt(**fields)).attempts["t"]
    assert found.sample.detail == detail


def test_the_revision_is_what_the_service_says_of_itself() -> None:
    body = "metrics-echo ok ts=1 target=x service=metrics-echo revision=metrics-echo-00002\n"
    (found,) = read(START, attempt(body_head=body)).attempts["t"]
    assert found.sample.revision == "metrics-echo-00002"


def test_a_name_that_was_spelled_out_is_by_address() -> None:
    (found,) = read(START, attempt(dns={"source": "magic", "checked": False})).attempts["t"]
    assert found.sample.by_address


def test_a_run_that_was_killed_keeps_what_was_written_whole() -> None:
    output = read(START, attempt(0), tail=b'{"record":"sample","targ')
    assert len(output.attempts["t"]) == 1
    assert output.ended == ""


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "did not say that it started"),
        ([attempt()], "did not say that it started"),
        ([START, attempt(target="x")], "a target that was not asked: 'x'"),
        ([START, attempt(outcome="odd")], "an unknown outcome: 'odd'"),
    ],
)
def test_what_is_not_the_engines_is_refused(records: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        read(*records)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_lines_are_read_or_refused_with_a_message(lines: list[bytes]) -> None:
    with pytest.raises(ProbeError):
        read_output([line + b"\n" for line in lines], rates={"t": 1.0})
