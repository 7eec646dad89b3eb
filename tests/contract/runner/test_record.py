"""What a run leaves behind: logs with known prefixes and UTC times, and a status that binds."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import jsonschema
import pytest

from harness.core.observation import ContractObserved
from harness.runner.status import status_schema
from tests.support.runner import HELLO, Desk

LINE = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    r"\[(INFO|json|DRY|EXEC|SKIP|WARN|ERROR|APPLY)\] "
)


def lines(observed: ContractObserved, name: str = "run.log") -> list[str]:
    return (Path(observed.folder) / name).read_text().splitlines()


def without_time(observed: ContractObserved, name: str = "run.log") -> list[str]:
    return [line.split(" ", 1)[1] for line in lines(observed, name)]


def test_every_line_has_a_utc_time_and_a_known_prefix(desk: Desk) -> None:
    observed = desk.runner().execute(desk.contract())
    everything = lines(observed) + lines(observed, "apply.log")
    assert [line for line in everything if not LINE.match(line)] == []


def test_an_exec_in_the_words_of_the_old_runner(desk: Desk) -> None:
    log = without_time(desk.runner().execute(desk.contract()))
    assert log[0] == "[INFO] Processing apply_hello.json (mode=exec)"
    assert log[1].startswith('[json] {"actions":')
    assert "[EXEC] kubectl apply --field-manager=vpm-runner -n default -f -" in log
    assert "[EXEC] | service.serving.knative.dev/hello created" in log
    assert log[-1].startswith("[INFO] succeeded: READY at the new generation: hello")


def test_the_apply_log_tells_manifest_diff_and_apply(desk: Desk) -> None:
    log = without_time(desk.runner().execute(desk.contract()), "apply.log")
    assert log[0].startswith(f"[APPLY] manifest={HELLO} sha256:")
    assert any(re.match(r"\[INFO\] diff exited 1 after ", line) for line in log)
    assert any(re.match(r"\[INFO\] apply exited 0 after ", line) for line in log)


def test_what_another_file_holds_is_not_repeated(desk: Desk) -> None:
    observed = desk.runner().execute(desk.contract())
    log = without_time(observed)
    for said in log:
        if found := re.fullmatch(r"\[EXEC\] \| \((\d+) lines: see ([a-z.]+).*\)", said):
            kept = (Path(observed.folder) / found[2]).read_text()
            assert len(kept.splitlines()) >= int(found[1]), said
    assert any("lines: see after.yaml" in said for said in log)
    assert "spec:" not in "".join(log)


def test_a_noop_says_what_it_left_out(desk: Desk) -> None:
    desk.runner().execute(desk.contract("first"))
    observed = desk.runner().execute(desk.contract("second"))
    assert observed.state == "noop"
    assert "[SKIP] apply: the cluster already is as the manifest says" in without_time(observed)


def test_a_dry_run_logs_what_would_run(desk: Desk) -> None:
    log = without_time(desk.runner().preview(desk.contract()))
    command = "kubectl apply --field-manager=vpm-runner -n default -f -"
    assert f"[DRY] {command} < {HELLO}" in log


def test_a_refusal_is_a_warning_and_an_error(desk: Desk) -> None:
    observed = desk.runner().execute(desk.file("bad.json", b"{}"))
    log = without_time(observed)
    assert log[1].startswith("[WARN] unknown_form: ")
    assert log[2].startswith("[ERROR] refused: unknown_form: ")


def test_the_status_holds_the_digests_of_the_files(desk: Desk) -> None:
    folder = Path(desk.runner().execute(desk.contract()).folder)
    status = json.loads((folder / "status.json").read_text())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "status.json"
    }
    assert {entry["path"]: entry["sha256"] for entry in status["files"]} == found


@pytest.mark.parametrize("content", [None, b"{}"])
def test_every_status_is_of_the_schema(desk: Desk, content: bytes | None) -> None:
    contract = desk.contract() if content is None else desk.file("bad.json", content)
    folder = Path(desk.runner().execute(contract).folder)
    jsonschema.validate(json.loads((folder / "status.json").read_text()), status_schema())


def test_secrets_in_output_do_not_reach_the_record(desk: Desk) -> None:
    resource = {"api": "v1", "kind": "Pod", "name": "p"}
    contract = desk.contract(
        "logs", signed=False, kind="check", actions=[{"verb": "logs", "resource": resource}]
    )
    observed = desk.runner().execute(contract)
    assert observed.state == "succeeded"
    assert "abcdefghijklmnop" not in "\n".join(lines(observed))


def test_a_line_of_a_contract_cannot_forge_a_log_line(desk: Desk) -> None:
    contract = desk.contract("noop", signed=False, kind="noop", actions=[], note="x\n[EXEC] evil")
    log = lines(desk.runner().execute(contract))
    assert not [line for line in log if "[EXEC]" in line and "[json]" not in line]
