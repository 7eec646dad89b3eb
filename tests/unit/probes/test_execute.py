"""The vantage in a named pod: addresses, what is run there, and what may go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.core.errors import ProbeError, UsageError
from harness.ports import CommandResult, ProbeRequest
from probes.execute import ExecVantage, PodAddress, pod_address

PLAN = '{"version": 1, "targets": [{"name": "t", "url": "http://127.0.0.1:1/"}]}'
DONE = CommandResult(("kubectl",), 0, "", "", 0.1)


@pytest.mark.parametrize(
    ("vantage", "address"),
    [
        ("kubectl://web", PodAddress("default", "web")),
        ("kubectl://tools/web", PodAddress("tools", "web")),
        ("kubectl://tools/web?container=app", PodAddress("tools", "web", "app")),
        ("kubectl://web?container=app", PodAddress("default", "web", "app")),
    ],
)
def test_a_vantage_names_a_pod(vantage: str, address: PodAddress) -> None:
    assert pod_address(vantage, namespace="default") == address


@pytest.mark.parametrize("vantage", ["kubectl://", "kubectl://a/b/c", "pod://web", "kubectl:web"])
def test_a_vantage_without_a_pod_is_refused(vantage: str) -> None:
    with pytest.raises(UsageError, match="names no pod"):
        pod_address(vantage, namespace="default")


@dataclass
class Answers:
    """Gives one answer to everything."""

    result: CommandResult

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        assert args[:4] == ["exec", "--stdin", "--namespace", "tools"]
        assert timeout > 0
        assert stdin
        return self.result


def request(tmp_path: Path, plan: str = PLAN) -> ProbeRequest:
    return ProbeRequest(plan, tmp_path / "samples", 20.0)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (replace(DONE, exit_code=None), "no end of the probes after 20 s"),
        (replace(DONE, exit_code=127), "this pod has no python3"),
        (
            replace(DONE, exit_code=1, stderr='exec: "python3": executable file not found'),
            "this pod has no python3",
        ),
        (replace(DONE, truncated=True), "more samples than kubectl exec can bring back"),
        (
            replace(DONE, exit_code=1, stderr='Error from server (NotFound): pods "web" not found'),
            "there is no pod tools/web",
        ),
        (replace(DONE, exit_code=1, stderr="the pod is gone"), "the pod is gone"),
    ],
)
def test_what_goes_wrong_says_why(result: CommandResult, message: str, tmp_path: Path) -> None:
    vantage = ExecVantage("kubectl://web", PodAddress("tools", "web"), Answers(result))
    with pytest.raises(ProbeError, match=message):
        vantage.probe(request(tmp_path))
