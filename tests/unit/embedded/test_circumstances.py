"""Which recorded commands can be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.embedded.conformance.circumstances import Circumstances
from tests.embedded.conformance.outcome import Replay
from tests.embedded.conformance.statuses import RACE
from tests.support.cluster import existing

NOT_RECORDED = "the manifest is not recorded"


@pytest.mark.parametrize(
    ("command", "shown", "expected"),
    [
        ("kubectl get ksvc", "hello", ""),
        ("kubectl apply -f there.yaml", "", ""),
        ("kubectl apply -f gone.yaml", "", NOT_RECORDED),
        ("kubectl apply -f torn.yaml", "", NOT_RECORDED),
        ("kubectl apply -f gone.yaml", 'error: the path "gone.yaml" does not exist', ""),
        ("kubectl describe ksvc slow -n fail", "", NOT_RECORDED),
        ("kubectl get events", "5s Normal pod/slow-00001", NOT_RECORDED),
        ("kubectl describe ksvc crash -n fail", "", RACE),
        ("kubectl wait ksvc/crash", "", RACE),
        ("kubectl wait ksvc/crash-later", "", ""),
        ("kubectl get events", "5s Normal pod/crash-00001", ""),
    ],
)
def test_commands_that_cannot_be_compared(
    tmp_path: Path, command: str, shown: str, expected: str
) -> None:
    (tmp_path / "there.yaml").write_text("metadata: {name: hello}")
    (tmp_path / "torn.yaml").write_text("metadata: [")
    what = Replay(existing(str(_kubeconfig(tmp_path))), tmp_path)
    around = Circumstances(
        what, broken=False, absent=frozenset({"slow"}), racing=frozenset({"crash"})
    )
    assert around.skip(command, shown) == expected


def _kubeconfig(folder: Path) -> Path:
    path = folder / "kubeconfig"
    path.write_text("clusters: []\n")
    return path
