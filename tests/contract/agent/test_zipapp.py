"""The engine as it is run: one file, an isolated interpreter, JSON in and JSON lines out."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from probes.agent import hdr, sample, summary
from probes.agent.output import Identity, Start
from tests.contract.agent.cases import OK, answers
from tests.contract.agent.running import Line, command, plan_for, running
from tests.contract.agent.servers import Peer, serve
from tests.support.wait import eventually

SCHEMAS = Path(sample.__file__).parent / "schema"
DOCS = Path(sample.__file__).parents[2] / "docs" / "probe-agent.md"


@cache
def schema(name: str) -> Line:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())  # type: ignore[no-any-return]


def run_agent(agent: Path, plan: Line, **environment: str) -> list[Line]:
    """The lines of a run that must end well; every line fits the schema."""
    jsonschema.validate(plan, schema("plan"))
    done = subprocess.run(
        command(agent),
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **environment},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    check_lines(lines)
    return lines


def check_lines(lines: list[Line]) -> None:
    validator = jsonschema.Draft202012Validator(schema("output"))
    for line in lines:
        validator.validate(line)


def test_a_run_begins_with_start_and_ends_with_summary(agent: Path) -> None:
    with serve(answers(OK)) as server:
        lines = run_agent(
            agent, plan_for(server, requests=5, warmup=2, vantage="gateway"), POD_NAME="probe-1"
        )
    start, *samples, last = lines
    samples.sort(key=lambda line: line["seq"])
    assert start["record"] == "start"
    assert start["identity"]["pod"] == "probe-1"
    assert [line["seq"] for line in samples] == list(range(7))
    assert [line["warmup"] for line in samples] == [True] * 2 + [False] * 5
    assert {line["vantage"] for line in lines} == {"gateway"}
    (target,) = last["targets"]
    assert (target["total"], target["warmup"], target["valid"], target["good"]) == (7, 2, 5, 5)
    assert target["by_status"] == {"200": 5}
    assert last["ended"] == "completed"
    assert target["latency"]["ok"]["total"]["count"] == 5


@pytest.mark.parametrize(
    "interpreter", ["python3.9", "python3.10", "python3.12", "python3.13", "python3.14", "pypy3"]
)
def test_other_interpreters(agent: Path, interpreter: str) -> None:
    """A pod has what Python it has (pypy3 of Debian 12 is a 3.9)."""
    python = shutil.which(interpreter)
    # A version manager's shim is there for versions that are not.
    if python is None or subprocess.run([python, "-V"], check=False).returncode:
        pytest.skip(f"{interpreter} is not installed")
    with serve(answers(OK)) as server:
        done = subprocess.run(
            [python, *command(agent)[1:]],
            input=json.dumps(plan_for(server)),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    check_lines(lines)
    assert lines[1]["outcome"] == "ok"


def test_times_of_samples_derive_from_the_clocks_at_the_start(agent: Path) -> None:
    with serve(answers(OK)) as server:
        start, first, last = run_agent(agent, plan_for(server))
    offset = first["start_mono_ns"] - start["clock"]["mono_ns"]
    assert 0 <= offset < 5e9
    assert start["clock"]["utc"] <= first["start_utc"] <= last["clock"]["utc"]
    assert abs(start["clock"]["utc_ns"] - time.time_ns()) < 60e9
    assert first["lateness_ns"] == first["start_mono_ns"] - first["scheduled_ns"]


@pytest.mark.parametrize(("samples", "seen"), [("all", [0, 1, 2]), ("failures", []), ("none", [])])
def test_samples_are_written_as_asked(agent: Path, samples: str, seen: list[int]) -> None:
    with serve(answers(OK)) as server:
        lines = run_agent(agent, plan_for(server, requests=3, samples=samples))
    assert sorted(line["seq"] for line in lines[1:-1]) == seen
    assert lines[-1]["targets"][0]["good"] == 3


def test_failures_are_written_and_summed(agent: Path) -> None:
    with serve(answers(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")) as server:
        *_, line, last = run_agent(agent, plan_for(server, samples="failures"))
    assert (line["outcome"], line["hop"], line["status"]) == ("status_mismatch", "status", 503)
    assert last["targets"][0]["by_outcome"] == {"status_mismatch": 1}
    assert last["targets"][0]["first_failure"]["detail"] == "status 503, expected 2xx"


def test_output_to_a_file(agent: Path, tmp_path: Path) -> None:
    output = tmp_path / "samples.jsonl"
    with serve(answers(OK)) as server:
        assert run_agent(agent, plan_for(server, output=str(output))) == []
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    check_lines(lines)
    assert [line["record"] for line in lines] == ["start", "sample", "summary"]


@pytest.mark.parametrize(
    ("plan", "errors"),
    [
        ("{", ["plan: not JSON"]),
        ("[]", ["plan: expected an object, got a list"]),
        ("{}", ["plan.targets: missing"]),
        (
            '{"targets": [{"name": "a", "url": "ftp://x", "rate": "1", "rat": 1}, {"url": 1}]}',
            ["plan.targets[0].rat: unknown key", "plan.targets[0].rate: expected an integer",
             "plan.targets[1].name: missing", "plan.targets[1].url: expected a string"],
        ),
        (
            '{"targets": [{"name": "a", "url": "http://x", "rate": 0, "timeout": 0}]}',
            ["plan.targets[0].rate", "plan.targets[0].timeout"],
        ),
        (
            '{"targets": [{"name": "a", "url": "https://x", "tls": {"ca_file": "/no/such"}}]}',
            ["target a: ENOENT: No such file or directory"],
        ),
    ],
    ids=["no-json", "list", "empty", "types", "values", "no-ca"],
)  # fmt: skip
def test_a_bad_plan_is_refused_with_all_its_errors(
    agent: Path, plan: str, errors: list[str]
) -> None:
    done = subprocess.run(
        command(agent), input=plan, capture_output=True, text=True, timeout=30, check=False
    )
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (2, "", len(errors))
    assert all(line.startswith(error) for line, error in zip(lines, errors, strict=True))


def test_an_output_that_cannot_be_written_is_the_probers_trouble(agent: Path) -> None:
    with serve(answers(OK)) as server:
        plan = json.dumps(plan_for(server, output="/no/such/folder/samples.jsonl"))
        done = subprocess.run(
            command(agent), input=plan, capture_output=True, text=True, timeout=30, check=False
        )
        assert server.connections == 0
    assert done.returncode == 4
    assert done.stderr.startswith("cannot run: [Errno 2] No such file or directory")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a", "b"],
        ["/no/such/plan.json"],
        ["-", "--parent"],
        ["-", "--parent", "me"],
        ["-", "--child", "1"],
    ],
)
def test_bad_usage(agent: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [*command(agent)[:-1], *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_what_was_seen(
    agent: Path, number: signal.Signals, code: int
) -> None:
    def answer_once(peer: Peer) -> None:
        (answers(OK) if server.connections == 1 else answers(then=Peer.hang))(peer)

    with (
        serve(answer_once) as server,
        running(agent, plan_for(server, requests=100, rate=2)) as process,
    ):
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["outcome"] == "ok"
        eventually(lambda: server.connections >= 2, timeout=5)
        process.send_signal(number)
        *_, last = [json.loads(line) for line in process.stdout]
        assert process.wait(10) == code
    check_lines([last])
    assert last["ended"] == "interrupted"
    assert last["targets"][0]["total"] == 1
    assert last["cut_off"] >= 1
    assert last["cut_off"] + last["not_started"] == 99


def test_a_prober_that_was_held_up_says_so(agent: Path) -> None:
    """No coordinated omission: what was due meanwhile is sent late, and counted as late."""
    with (
        serve(answers(OK)) as server,
        running(agent, plan_for(server, requests=100, rate=100)) as process,
    ):
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["outcome"] == "ok"
        process.send_signal(signal.SIGSTOP)
        until = time.monotonic() + 0.5
        eventually(lambda: time.monotonic() > until, timeout=10)
        process.send_signal(signal.SIGCONT)
        *_, last = [json.loads(line) for line in process.stdout]
        assert process.wait(10) == 0
    (target,) = last["targets"]
    assert (target["total"], target["good"]) == (100, 100)
    assert target["lateness"]["max"] > 0.3e9
    assert target["lateness"]["percentiles"]["p99"] > 0.025e9


def test_a_pattern_without_end_holds_nobody_up(agent: Path) -> None:
    body = b"a" * 64 + b"!"
    with serve(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n" + body)) as server:
        plan = plan_for(server, requests=50)
        (endless,) = plan["targets"]
        endless["expect"] = {"body": {"regex": "(a+)+$"}}
        plan["targets"].append({**endless, "name": "plain", "expect": {"body": {"regex": "a+!$"}}})
        *_, last = run_agent(agent, plan)
    found = {target["target"]: target["by_outcome"] for target in last["targets"]}
    assert found == {"t": {"prober_error": 50}, "plain": {"ok": 50}}


def test_a_reader_that_leaves_ends_the_run(agent: Path) -> None:
    with (
        serve(answers(OK)) as server,
        running(agent, plan_for(server, requests=10_000)) as process,
    ):
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(10) == 4


def test_the_schema_knows_every_field_and_no_other() -> None:
    """The JSON Schema and the types must not drift apart."""
    definitions = schema("output")["$defs"]
    pairs = {
        "start_line": Start,
        "identity": Identity,
        "sample": sample.Sample,
        "sample_line": sample.Sample,
        "attempted": sample.Attempted,
        "dns": sample.DnsFacts,
        "tls": sample.TlsFacts,
        "summary_line": summary.Summary,
        "target": summary.TargetSummary,
        "distribution": hdr.Distribution,
    }
    for name, cls in pairs.items():
        fields = {field.name for field in dataclasses.fields(cls)}
        assert set(definitions[name]["properties"]) - {"record"} == fields, name


def test_the_documented_plan_is_one() -> None:
    text = DOCS.read_text().split("```json\n")[1].split("```")[0]
    jsonschema.validate(json.loads(text), schema("plan"))
