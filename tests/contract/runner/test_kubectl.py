"""The seam to kubectl with real processes: pinned, bounded, redacted, ended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core.errors import CommandError
from harness.runner.kubectl import KubectlProcess, find_kubectl
from harness.timing.clock import SystemClock
from tests.support.wait import eventually


def make(folder: Path, script: str, *, max_output: int = 1000) -> KubectlProcess:
    """The adapter with a shell script in kubectl's place."""
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return KubectlProcess(
        kubeconfig=folder / "kubeconfig",
        context="ctx",
        clock=SystemClock(),
        executable=program,
        max_output=max_output,
    )


def test_the_cluster_is_pinned_and_the_arguments_are_passed_as_they_are(tmp_path: Path) -> None:
    kubectl = make(tmp_path, 'for word in "$@"; do echo "[$word]"; done')
    result = kubectl.run(["get", "a b", "$(id)"], timeout=10)

    assert result.stdout.splitlines() == [
        f"[--kubeconfig={tmp_path}/kubeconfig]",
        "[--context=ctx]",
        f"[--cache-dir={tmp_path}/cache]",
        "[get]",
        "[a b]",
        "[$(id)]",
    ]
    assert result.argv == ("kubectl", "get", "a b", "$(id)")


@pytest.mark.parametrize(
    "word", ["--context", "--kubeconfig=x", "--server=x", "-s", "--token=x", "--as=x", "--user=x"]
)
def test_arguments_cannot_leave_the_cluster(tmp_path: Path, word: str) -> None:
    with pytest.raises(CommandError, match="pinned to ctx"):
        make(tmp_path, "true").run(["get", word], timeout=10)


def test_the_environment_cannot_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/elsewhere")
    monkeypatch.setenv("KUBECTL_EXTERNAL_DIFF", "reboot")
    result = make(tmp_path, "env | grep KUBE").run(["get"], timeout=10)
    set_to = dict(line.split("=") for line in result.stdout.splitlines())
    assert set_to == {"KUBERC": "off", "KUBECTL_KUBERC": "false"}


def test_a_person_s_preferences_do_not_change_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "kuberc").write_text(
        "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ndefaults:\n"
        "- command: version\n  options:\n  - {name: client, default: 'false'}\n"
        "  - {name: output, default: json}\n"
    )
    kubectl = KubectlProcess(kubeconfig=Path(os.devnull), context="", clock=SystemClock())
    assert kubectl.run(["version", "--client"], timeout=20).stdout.startswith("Client Version")


def test_input_is_given_whole(tmp_path: Path) -> None:
    content = b"x" * 300_000
    assert make(tmp_path, "wc -c").run(["apply"], timeout=10, stdin=content).stdout == "300000\n"


def test_no_input_is_no_terminal(tmp_path: Path) -> None:
    assert make(tmp_path, "cat; echo end").run(["get"], timeout=10).stdout == "end\n"


@pytest.mark.parametrize("code", [0, 1, 3])
def test_exit_codes_and_both_streams(tmp_path: Path, code: int) -> None:
    result = make(tmp_path, f"echo out; echo err >&2; exit {code}").run(["get"], timeout=10)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "out\n", "err\n")


def test_output_is_bounded(tmp_path: Path) -> None:
    kubectl = make(tmp_path, "head -c 5000000 /dev/zero | tr '\\0' x")
    result = kubectl.run(["get"], timeout=20)
    assert (len(result.stdout), result.truncated) == (1000, True)


def test_output_is_redacted(tmp_path: Path) -> None:
    result = make(tmp_path, "echo 'Authorization: Bearer abcdefghijklmno'").run(["get"], timeout=9)
    assert "abcdefghijklmno" not in result.stdout


def test_output_need_not_be_text(tmp_path: Path) -> None:
    assert make(tmp_path, r"printf '\377'").run(["get"], timeout=10).stdout == "�"


def test_a_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    kubectl = make(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    result = kubectl.run(["wait"], timeout=0.5)

    assert (result.exit_code, result.timed_out) == (None, True)
    assert result.seconds < 10
    child = int((tmp_path / "child").read_text())
    eventually(lambda: _is_gone(child), timeout=5, what="the child has ended")


def test_a_helper_that_keeps_the_output_open_does_not_hang_us(tmp_path: Path) -> None:
    result = make(tmp_path, "sleep 60 & exit 0").run(["diff"], timeout=0.5)
    assert result.timed_out


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    kubectl = KubectlProcess(
        kubeconfig=tmp_path, context="c", clock=SystemClock(), executable=tmp_path / "none"
    )
    with pytest.raises(CommandError, match=r"cannot run .*none: No such file"):
        kubectl.run(["get"], timeout=1)


def test_kubectl_is_found_beside_the_interpreter() -> None:
    assert os.access(find_kubectl(), os.X_OK)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True
