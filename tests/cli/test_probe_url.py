"""`vpm probe URL`: from this machine alone, without a cluster and without a word about READY."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.probe import probe
from harness.core.errors import UsageError
from harness.core.verdict import ExitCode
from probes.web import web_url
from tests.contract.probes.web import ECHO, Answer, closed_port, serve, serve_silence

QUICK = ("--requests=3", "--rate=50/s")


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, and nothing that could start a cluster: a URL needs none."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(probe, [*arguments, *QUICK])


def test_what_answers_passes_and_ready_is_not_claimed() -> None:
    with serve(lambda _: (200, {}, ECHO)) as port:
        done = run(f"http://127.0.0.1:{port}/", "--contains=metrics-echo ok")
    assert done.exit_code == ExitCode.PASS, done.output
    assert f"PASS http://127.0.0.1:{port}/ reachable from devbox: 3/3" in done.output
    assert "│ body     │    3/3 │" in done.output
    assert "devbox: p50" in done.output
    assert "not checked: READY" in done.output
    assert "READY=True" not in done.output
    assert done.output.count("PASS ") == 1


def test_where_nobody_listens_the_hop_is_named() -> None:
    done = run(f"http://127.0.0.1:{closed_port()}/")
    assert done.exit_code == ExitCode.FAIL
    assert "reachable at hop connect of vantage devbox: connect_refused 3/3" in done.output
    assert "nothing listens at the address" in done.output
    assert "next: curl -sv" in done.output
    assert "kubectl" not in done.output


def test_who_serves_a_url_is_not_guessed() -> None:
    with serve(lambda _: (503, {"server": "envoy"}, b"")) as port:
        done = run(f"http://127.0.0.1:{port}/x?a=1&b=2")
    assert done.exit_code == ExitCode.FAIL
    assert "reachable at hop status of vantage devbox: status_mismatch 3/3" in done.output
    assert "healthy backend" not in done.output
    # A shell takes it for one word.
    assert f"next: curl -sv --max-time 5 'http://127.0.0.1:{port}/x?a=1&b=2'" in done.output


def test_silence_is_told_within_its_timeout() -> None:
    with serve_silence() as port:
        done = run(f"http://127.0.0.1:{port}/", "--timeout=200ms")
    assert done.exit_code == ExitCode.FAIL
    assert "at hop wait of vantage devbox: wait_timeout 3/3" in done.output


def test_objectives_and_json() -> None:
    with serve(lambda _: (200, {}, ECHO)) as port:
        url = f"http://127.0.0.1:{port}/"
        done = run(url, "--json", "--objective=success>=99%:proven")
    assert done.exit_code == ExitCode.INCONCLUSIVE
    seen = json.loads(done.output)
    assert seen["service"] is None
    assert seen["claim"]["subject"] == url
    assert [claim["name"] for claim in seen["details"]] == ["reachable", "sli success>=0.99"]
    assert [sample["outcome"] for sample in seen["samples"]["devbox"]] == ["ok"] * 3
    assert seen["probes"][0]["url"] == url


def test_options_that_mean_nothing_for_a_url_are_named_at_once() -> None:
    options = ("--vantage=devbox,in-cluster", "--path=/x", "--namespace=a", "--context=b")
    done = run("http://127.0.0.1:1/", *options)
    assert isinstance(done.exception, UsageError)
    said = str(done.exception)
    assert "--vantage: in-cluster: a URL is probed from devbox only" in said
    for option in ("--path", "--namespace", "--context"):
        assert f"{option}: " in said


def test_the_defaults_of_those_options_are_no_mistake() -> None:
    done = run(f"http://127.0.0.1:{closed_port()}/", "--vantage=devbox")
    assert done.exit_code == ExitCode.FAIL


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTP://LOCALHOST:80", "http://localhost:80/"),
        ("https://example.org?a=1#part", "https://example.org/?a=1"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/"),
    ],
)
def test_a_url_is_made_fit_for_the_engine(written: str, meant: str) -> None:
    assert web_url(written) == meant


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://example.org/", "only http:// and https://"),
        ("http:///x", "names no host"),
        ("http://h:0/", "names no port"),
        ("http://h:99999/", "is not a URL"),
        ("http://[::1/", "is not a URL"),
        ("http://h/a b", "white space"),
        ("http://h/bücher", "percent-encode"),
        ("http://127.0.0.%31/", "the host 127.0.0.%31 is percent-encoded"),
        ("http://straße.example/", "the host straße.example is not ASCII"),
    ],
)
def test_what_is_no_url_is_refused(url: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        web_url(url)


def test_credentials_in_a_url_are_refused_and_not_shown() -> None:
    with pytest.raises(UsageError, match="holds credentials") as caught:
        web_url("http://user:hunter2@example.org/")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_secret_in_the_query_is_sent_and_not_shown(option: tuple[str, ...]) -> None:
    asked = set()

    class Noting(Answer):
        def parse_request(self) -> bool:
            good = super().parse_request()
            asked.add(self.path)
            return good

    with serve(lambda _: (500, {}, b""), handler=Noting) as port:
        done = run(f"http://127.0.0.1:{port}/x?token=hunter2hunter2&a=b", *option)
    assert done.exit_code == ExitCode.FAIL, done.output
    assert asked == {"/x?token=hunter2hunter2&a=b"}
    assert "hunter2" not in done.output
    assert "token=REDACTED&a=b" in done.output
