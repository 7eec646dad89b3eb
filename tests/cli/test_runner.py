"""`vpm runner` and `vpm ask` as a person uses them, without a cluster."""

from __future__ import annotations

import functools
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from harness.cli.main import main
from tests.support.runner import HELLO, OVERLAY, Desk, contract_document, make_desk

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """How a call of vpm ended."""

    returncode: int
    stdout: str
    stderr: str


Vpm = Callable[..., Result]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


@pytest.fixture
def vpm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vpm:
    """Calls the console script in this process: a process for each call would take a second."""

    def call(*arguments: str, stdin: bytes = b"", **environment: str) -> Result:
        monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["vpm", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit:
            main()
        captured = capsys.readouterr()
        return Result(int(exit.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def runner(vpm: Vpm, desk: Desk) -> Vpm:
    """`vpm runner` in the repository of the desk."""
    return functools.partial(vpm, "runner", "--repo", str(desk.repo))


@pytest.fixture
def ask(vpm: Vpm, desk: Desk) -> Vpm:
    """`vpm ask` in the repository of the desk."""
    return functools.partial(vpm, "ask", "--repo", str(desk.repo))


@pytest.mark.parametrize("name", ["", "a\nb", "x: y", "\x1b[2J", "x" * 101, "-x", "ｂｏｓｓ"])
@pytest.mark.parametrize(
    "arguments",
    [("approve", "apply_hello"), ("release", "apply_hello"), ("keygen", "--out", "key.pem")],
)
def test_a_name_that_no_approval_can_hold(
    desk: Desk, runner: Vpm, arguments: tuple[str, ...], name: str
) -> None:
    result = runner(*arguments, f"--by={name}")
    assert result.returncode == 2
    assert "Invalid value for '--by': letters (a-z, A-Z), digits" in result.stderr
    assert not Path("key.pem").exists()


@pytest.mark.parametrize("interval", ["nan", "inf", "-1", "0", "1e300", "soon"])
def test_an_interval_that_no_watch_can_have(runner: Vpm, interval: str) -> None:
    result = runner("serve", f"--interval={interval}")
    assert result.returncode == 2
    assert "Invalid value for '--interval'" in result.stderr


def test_what_a_contract_calls_its_keys_cannot_speak_for_lint(desk: Desk, runner: Vpm) -> None:
    evil = {**contract_document(), "\x1b[2J\ngood.json: may apply all": 1}
    result = runner("lint", str(desk.file("evil.json", json.dumps(evil).encode())))
    (line,) = result.stdout.splitlines()
    assert "\\x1b[2J\\ngood.json: may apply all: Extra inputs" in line


@pytest.mark.parametrize("author", ["a\nb", "x" * 501, "\x00"])
def test_an_author_that_no_contract_can_hold(ask: Vpm, author: str) -> None:
    result = ask("--author", author, stdin=b"/ask")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: --author: ")


def test_a_comment_without_end_is_not_read_to_its_end(ask: Vpm) -> None:
    result = ask("/dev/zero")
    assert result.returncode == 2
    assert "more than 65536 characters" in result.stdout


def test_a_comment_of_a_windows_editor(desk: Desk, ask: Vpm) -> None:
    assert ask(stdin=b"\xef\xbb\xbf/ask\r\nS5 apply: dev hello\r\n").returncode == 0
    (contract,) = inbox(desk)
    assert contract["scope"] == HELLO


def inbox(desk: Desk) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(desk.settings.inbox.glob("*.json"))]


def test_lint_says_what_would_be_allowed_and_what_is_refused(desk: Desk, runner: Vpm) -> None:
    good = desk.contract()
    bad = desk.file("bad.json", b'{"kind": "apply", "approved": true, "actions": []}')
    worse = desk.file("worse.json", b"{")
    result = runner("lint", str(good), str(bad), str(worse))

    assert result.returncode == 2
    assert f"{good}: may apply Service default/hello from {HELLO} within 20 s" in result.stdout
    assert f"{bad}: refused: invalid: a contract of kind apply has no apply action" in result.stdout
    assert f"{worse}: refused: not_json: " in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("signed", "said"),
    [(True, "counts on embedded, kind, existing"), (False, "none that counts: approval_missing")],
)
def test_lint_tells_where_the_approval_counts(
    desk: Desk, runner: Vpm, signed: bool, said: str
) -> None:
    contract = desk.contract(signed=signed)
    assert f"{contract}: approval: {said}" in runner("lint", str(contract)).stdout


def test_two_comments_in_one_second_are_two_contracts(desk: Desk, ask: Vpm) -> None:
    for _ in range(3):
        assert ask(stdin=b"/ask S5 apply: dev hello").returncode == 0
    assert len({contract["id"] for contract in inbox(desk)}) == 3


def test_lint_of_good_contracts_exits_0_and_speaks_json(desk: Desk, runner: Vpm) -> None:
    result = runner("lint", "--json", str(desk.contract()))
    assert result.returncode == 0
    assert json.loads(result.stdout)["refused"] == []


def test_the_shipped_contracts_are_allowed_and_signed_for_what_they_apply(vpm: Vpm) -> None:
    contracts = sorted(str(path) for path in ROOT.glob("scenarios/*/contracts/*.json"))
    assert contracts
    result = vpm("runner", "lint", *contracts)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("approve", "nope", "--by", "me"), "no contract nope waits in"),
        (("release", "nope", "--by", "me"), "no contract nope was left behind"),
        (("rollback", "nope"), "there is no finished run"),
        (("publish", "nope"), "there is no finished run"),
        (("publish", "nope", "--github", "o/n"), "--github wants a token"),
        (("keygen", "--by", "me", "--out", "/nope/key"), "/nope/key: No such file or directory"),
        (("approve", "x", "--by", "me", "--key", "/nope"), "/nope: No such file or directory"),
        (("run",), "Missing argument"),
        (("schema", "nope"), "Invalid value"),
    ],
)
def test_bad_usage_is_told_and_exits_2(
    desk: Desk, arguments: tuple[str, ...], said: str, runner: Vpm
) -> None:
    result = runner(*arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_policy_is_told(tmp_path: Path, vpm: Vpm) -> None:
    result = vpm("runner", "--repo", str(tmp_path), "lint", "x.json")
    assert result.returncode == 2
    assert "codex/policy.yaml: there is no policy, so no contract may run" in result.stderr


def test_a_signer_is_made_and_its_approval_counts(desk: Desk, runner: Vpm) -> None:
    key = desk.repo / "key.pem"
    made = runner("keygen", "--by", "team", "--out", str(key))
    policy = yaml.safe_load(desk.settings.policy.read_text())
    policy["approvals"]["signers"] = yaml.safe_load(made.stdout.partition("\n")[2])
    desk.settings.policy.write_text(yaml.safe_dump(policy))
    contract = desk.contract(signed=False)

    approved = runner("approve", str(contract), "--by", "team", VPM_SIGNING_KEY=str(key))

    assert approved.returncode == 0, approved.stderr
    assert approved.stdout.startswith("signed approval of apply_hello by team\n")
    assert "counts on embedded, kind, existing" in approved.stdout
    assert oct(key.stat().st_mode & 0o777) == "0o600"
    assert desk.runner().execute(contract).state == "succeeded"


def test_an_approval_that_does_not_count_says_so(desk: Desk, runner: Vpm) -> None:
    key = desk.repo / "key.pem"
    runner("keygen", "--by", "stranger", "--out", str(key))
    contract = str(desk.contract(signed=False))
    signed = runner("approve", contract, "--by", "stranger", "--key", str(key))
    assert "none that counts: " in signed.stdout
    assert "the policy names no signer stranger" in signed.stdout
    assert "counts on embedded\n" in runner("approve", contract, "--by", "stranger").stdout


def test_several_contracts_are_approved_at_once(desk: Desk, runner: Vpm) -> None:
    files = [str(desk.contract(id, signed=False)) for id in ("first", "second")]
    done = runner("approve", *files, "--by", "me")
    assert done.stdout.count("recorded approval of ") == 2
    refused = runner("approve", *files, "--by", "me", "--diff-of", "some-run")
    assert (refused.returncode, "approve one at a time" in refused.stderr) == (2, True)


@pytest.mark.parametrize("what", ["contract", "policy", "status"])
def test_schemas_are_schemas(desk: Desk, what: str, runner: Vpm) -> None:
    schema = json.loads(runner("schema", what).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_contract_schema_fits_the_shipped_contracts(desk: Desk, runner: Vpm) -> None:
    schema = json.loads(runner("schema").stdout)
    for path in ROOT.glob("scenarios/*/contracts/*.json"):
        jsonschema.validate(json.loads(path.read_text()), schema)
    jsonschema.validate(contract_document(), schema)


def test_a_comment_becomes_contracts(desk: Desk, ask: Vpm) -> None:
    result = ask(stdin=b"/ask\n- S5 apply: dev hello-ksvc\n- S5 apply: dev metrics-echo\n")

    assert result.returncode == 0, result.stderr
    assert [contract["scope"] for contract in inbox(desk)] == [
        HELLO,
        f"{OVERLAY}/metrics-echo-ksvc.yaml",
    ]
    assert result.stdout.count("(proposed, not approved)") == 2


def test_a_comment_in_a_file_and_a_reply_in_another(desk: Desk, ask: Vpm) -> None:
    reply = desk.repo / "reply.md"
    comment = desk.file("comment.md", b"/ask how is hello?\n")
    result = ask(str(comment), "--reply", str(reply))
    assert result.returncode == 0
    assert reply.read_text() == result.stdout
    assert [contract["note"] for contract in inbox(desk)] == ["how is hello?"]


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        (b"/ask S5 apply: dev nope", "There is: `hello-ksvc`, `metrics-echo-ksvc`."),
        (b"/ask\nS5 apply: dev hello; reboot", "It must stand alone"),
        (b"hello", "does not begin with /ask"),
        (b"", "does not begin with /ask"),
        (b"/ask \xff", "not UTF-8"),
    ],
)
def test_a_comment_that_is_refused_leaves_nothing(
    desk: Desk, ask: Vpm, comment: bytes, said: str
) -> None:
    result = ask(stdin=comment)
    assert result.returncode == 2
    assert said in result.stdout + result.stderr
    assert inbox(desk) == []


def event(desk: Desk, body: str, *, login: str = "dev", association: str = "MEMBER",
          action: str = "created") -> str:  # fmt: skip
    """The path of a GitHub event with a comment."""
    payload = {
        "action": action,
        "comment": {
            "body": body,
            "user": {"login": login},
            "author_association": association,
            "html_url": "https://github.com/o/n/pull/7#c1",
        },
        "issue": {"number": 7, "title": "$(reboot)"},
        "repository": {"full_name": "o/n"},
        "sender": {"login": login},
    }
    return str(desk.file("event.json", json.dumps(payload).encode()))


def test_an_event_names_its_author_and_place(desk: Desk, ask: Vpm) -> None:
    result = ask(GITHUB_EVENT_PATH=event(desk, "/ask S5 apply: dev hello"))
    assert result.returncode == 0, result.stderr
    (contract,) = inbox(desk)
    assert contract["origin"]["repo"] == "o/n"
    assert contract["origin"]["number"] == 7
    assert contract["origin"]["author"] == "dev"
    assert "approval" not in contract


def test_an_approver_s_comment_is_an_approval_on_the_embedded_cluster(desk: Desk, ask: Vpm) -> None:
    path = event(desk, "/ask S5 apply: dev hello", login="boss", association="OWNER")
    result = ask("--event", path)
    assert "(approved by boss, recorded)" in result.stdout
    (waiting,) = desk.settings.inbox.glob("*.json")
    assert desk.runner().execute(waiting).state == "succeeded"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"association": "NONE"}, "may not ask here"),
        ({"association": "CONTRIBUTOR", "login": "boss"}, "may not ask here"),
        ({"association": "NONE", "login": "some[bot]"}, "may not ask here"),
        ({"login": "two\nlines"}, "not a comment event: author"),
        ({"body": "/ask \ud800"}, "not a readable event"),
        ({"action": "edited"}, "only new comments count"),
        ({"action": "deleted"}, "only new comments count"),
    ],
)
def test_an_event_that_does_not_count(
    desk: Desk, options: dict[str, str], said: str, ask: Vpm
) -> None:
    path = event(desk, **{"body": "/ask S5 apply: dev hello", **options})
    result = ask("--event", path)
    assert result.returncode == 2
    assert said in result.stdout + result.stderr
    assert inbox(desk) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"action": "created"}', b"\xff"])
def test_what_is_no_event_is_told(desk: Desk, content: bytes, ask: Vpm) -> None:
    path = desk.file("event.json", content)
    result = ask("--event", str(path))
    assert result.returncode == 2
    assert "event" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_console_script_says_what_it_can() -> None:
    command = [sys.executable, "-m", "harness.cli.main", "runner", "--help"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in (
        "run",
        "serve",
        "lint",
        "approve",
        "release",
        "rollback",
        "publish",
        "keygen",
        "schema",
    ):
        assert f"  {name} " in result.stdout
