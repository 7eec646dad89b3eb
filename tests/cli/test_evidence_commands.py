"""`vpm evidence`: what it prints and what it exits with."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.golden import Golden, make_golden
from tests.support.keys import make_keys


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    return make_golden(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def golden(untouched: Golden, tmp_path: Path) -> Golden:
    shutil.copytree(untouched.reports.parent, tmp_path / "copy")
    return untouched.at(tmp_path / "copy")


def evidence(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "evidence", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_verify_says_what_it_looked_at(golden: Golden) -> None:
    result = evidence("verify", golden.reports)
    assert result.stdout == "0 findings in 2 runs, 11 documents, 2 copies\n"
    assert result.returncode == 0


def test_verify_names_file_field_expected_and_found(golden: Golden) -> None:
    document = golden.run / "evidence/default.hello.ready.json"
    document.write_bytes(document.read_bytes().replace(b'"812"', b'"813"'))
    plain = evidence("verify", golden.reports)
    assert plain.returncode == 1
    expected = (
        f"reports/runs/{golden.run.name}/evidence/default.hello.ready.json: "
        "service.resource_version: expected 812, found 813 [derivation]"
    )
    assert expected in plain.stdout.splitlines()
    found = json.loads(evidence("verify", golden.reports, "--json").stdout)
    assert {"file", "field", "expected", "found", "rule"} == set(found[0])
    assert "813" in {finding["found"] for finding in found}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["verify"], 2, "Missing argument"),
        (["verify", "{reports}", "--max-age", "soon"], 2, "not a duration"),
        (["verify", "{reports}", "--max-age", "1h"], 1, "at most 1:00:00 old"),
        (["verify", "{reports}", "--provider", "kind"], 1, "a real cluster"),
        (["verify", "{reports}", "--provider", "moon"], 2, "moon"),
        (["verify", "{reports}", "--key", "{reports}/none.pub"], 2, "no public key"),
        (["verify", "{reports}/nowhere"], 1, "no such file or folder"),
        (["render", "{reports}/none.json"], 2, "not an evidence document"),
        (["require", "{reports}/none.yaml", "--reports", "{reports}"], 2, "cannot be read"),
        (["sign", "{reports}", "--key", "{reports}/none.pem"], 2, "openssl genpkey"),
        (["sign", "{reports}/phase2", "--key", "k"], 2, "no run folder"),
        (["site", "--reports", "{reports}/phase2"], 2, "runs/"),
        (["recover", "{reports}"], 2, "not all runs at once"),
        (["recover", "{reports}/runs/{run}"], 2, "the run has its evidence"),
        (["summary", "{reports}"], 0, "INCONCLUSIVE for the claim"),
        (["metrics", "{reports}"], 0, "# EOF"),
    ],
)
def test_exit_codes_and_words(golden: Golden, arguments: list[str], code: int, said: str) -> None:
    result = evidence(
        *(argument.format(reports=golden.reports, run=golden.run.name) for argument in arguments)
    )
    assert result.returncode == code, result.stderr
    assert said in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_sign_then_verify_with_the_key(golden: Golden, tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "keys", "ci")
    signed = evidence("sign", golden.reports, "--key", private)
    assert signed.stdout.count("signed: ") == 2
    assert evidence("verify", golden.reports, "--key", public).returncode == 0


def test_render_prints_what_was_written(golden: Golden) -> None:
    document = golden.run / "evidence/default.hello.sli.json"
    written = document.with_suffix(".md").read_text(encoding="utf-8")
    assert evidence("render", document).stdout == written
    assert "主張" in evidence("render", document, "--lang", "ja").stdout


def test_require_is_a_gate(golden: Golden, tmp_path: Path) -> None:
    file = tmp_path / "required.yaml"
    head = "apiVersion: vpm.dev/v1\nkind: Requirements\nrequire:\n"
    file.write_text(f"{head}  - {{kind: ready, subject: default/hello}}\n")
    met = evidence("require", file, "--reports", golden.reports)
    assert (met.returncode, met.stdout) == (0, "0 findings in 1 requirements\n")
    file.write_text(f"{head}  - {{kind: ready, subject: default/hello, providers: [kind]}}\n")
    unmet = evidence("require", file, "--reports", golden.reports)
    assert unmet.returncode == 1
    assert "only from embedded" in unmet.stdout


def test_site_and_prune_say_what_they_did(golden: Golden) -> None:
    built = evidence("site", "--reports", golden.reports)
    assert built.stdout == f"2 runs: {golden.reports / 'site/index.html'}\n"
    assert (golden.reports / "site/index.html").exists()
    pruned = evidence("prune", "--reports", golden.reports, "--older-than", "1h")
    assert pruned.stdout == "0 runs, 0 bytes\n"
    assert evidence("verify", golden.reports).returncode == 0


@pytest.mark.parametrize(
    "command", [[], ["verify"], ["render"], ["sign"], ["require"], ["site"], ["prune"], ["recover"]]
)
def test_every_command_has_help(command: list[str]) -> None:
    result = evidence(*command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: ")


def test_a_killed_run_is_recovered(golden: Golden) -> None:
    shutil.rmtree(golden.run / "evidence")
    (golden.run / "ledger.json").unlink()
    packed = golden.run / "journal.jsonl.gz"
    (golden.run / "journal.jsonl").write_bytes(gzip.decompress(packed.read_bytes())[:-20])
    packed.unlink()
    recovered = evidence("recover", golden.run)
    assert recovered.stdout.startswith(f"recovered: {golden.run.name} (")
    assert evidence("verify", golden.run).returncode == 0
