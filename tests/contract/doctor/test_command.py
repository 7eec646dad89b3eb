"""`vpm doctor` in odd states: always a whole report, valid JSON, an exit code, and no secret."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from harness.cli.doctor import doctor
from infra.clusters.state import ClusterFolder, CreatedCluster, Intent
from tests.support.api_server import ApiServer, knative_objects, serving
from tests.support.fake_kube import FakeKube
from tests.support.standin import Call, install

TOKEN = "s3cr3t-t0k3n-of-the-test"
INFO = ("info", "--format", "{{.ServerVersion}}")
NODE = "vpm-mini-control-plane"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder and a PATH of the test's own."""
    home = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv("KIND_BIN", raising=False)
    return home / "vpm"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving(FakeKube(*knative_objects())) as running:
        yield running


def report(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the report, which is whole whatever is wrong."""
    done = CliRunner().invoke(doctor, [*arguments, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert TOKEN not in done.output
    body = json.loads(done.stdout)
    for finding in body["findings"]:
        assert finding["id"]
        assert finding["seen"]
        assert finding["why"]
        assert bool(finding["mend"]) == (finding["status"] in ("warning", "failure"))
        assert "could not run" not in finding["seen"]
    return done.exit_code, body


def of(body: dict[str, Any], check: str) -> dict[str, Any]:
    (found,) = [finding for finding in body["findings"] if finding["id"] == check]
    return dict(found)


def with_token(server: ApiServer, file: Path) -> Path:
    """A kubeconfig whose user has a token."""
    content = yaml.safe_load(server.write_kubeconfig(file, "dev").read_text())
    content["users"] = [{"name": "dev", "user": {"token": TOKEN}}]
    content["contexts"][0]["context"]["user"] = "dev"
    file.write_text(yaml.safe_dump(content))
    return file


def existing(file: Path, context: str = "dev") -> tuple[int, dict[str, Any]]:
    return report("--cluster", "existing", "--kubeconfig", str(file), "--context", context)


def test_a_wrong_context_is_a_finding(server: ApiServer, tmp_path: Path) -> None:
    code, body = existing(with_token(server, tmp_path / "kubeconfig"), "prod")
    assert code == 4
    assert "there is no context 'prod'; there are: dev" in of(body, "context")["seen"]


@pytest.mark.parametrize(
    "content", ["", "[]", "contexts: 5", "contexts: [x]", "\x00", "a: [", "- 1"]
)
def test_a_kubeconfig_that_is_none_is_a_finding(tmp_path: Path, content: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    code, body = existing(file)
    assert code == 4
    assert of(body, "context")["status"] == "failure"


@pytest.mark.parametrize(("status", "mend"), [(401, "log in again"), (503, "not ready")])
def test_an_api_that_refuses(server: ApiServer, tmp_path: Path, status: int, mend: str) -> None:
    server.refuse["/api/v1/nodes"] = status
    code, body = existing(with_token(server, tmp_path / "kubeconfig"))
    assert code == 4
    found = of(body, "context")
    assert str(status) in found["seen"]
    assert mend in found["mend"]


def test_a_user_who_may_not_see_nodes_is_told_and_checked_on(
    server: ApiServer, tmp_path: Path
) -> None:
    server.refuse["/api/v1/nodes"] = 403
    _, body = existing(with_token(server, tmp_path / "kubeconfig"))
    found = of(body, "context")
    assert (found["status"], of(body, "knative")["status"]) == ("ok", "ok")
    assert found["seen"].endswith("this user may not see its nodes")


def test_an_api_that_is_gone_is_asked_once(tmp_path: Path) -> None:
    with serving(FakeKube()) as server:
        file = with_token(server, tmp_path / "kubeconfig")
    code, body = existing(file)
    assert code == 4
    assert "does not answer" in of(body, "context")["seen"]
    assert of(body, "knative")["status"] == "skipped"


def test_an_api_that_hangs_ends_in_time(server: ApiServer, tmp_path: Path) -> None:
    file = with_token(server, tmp_path / "kubeconfig")
    with _silent() as port:
        content = yaml.safe_load(file.read_text())
        content["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{port}"
        file.write_text(yaml.safe_dump(content))
        code, body = existing(file)
    assert code == 4
    assert "does not answer" in of(body, "context")["seen"]


@contextmanager
def _silent() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def remember(home: Path, **changes: Any) -> ClusterFolder:
    """A record of a kind cluster whose API answers nowhere."""
    folder = ClusterFolder.of("kind", "vpm-mini", home=home)
    base = {
        "provider": "kind", "name": "vpm-mini", "context": "kind-vpm-mini",
        "kubeconfig": str(home / "nothing"), "uid": "u", "owner": "o", "created_at": "then",
    }  # fmt: skip
    folder.remember(CreatedCluster(**{**base, **changes}))
    return folder


def docker(tmp_path: Path, *calls: Call) -> None:
    """A docker that answers, and a kind that has the cluster."""
    install(tmp_path / "bin", "docker", [*calls, Call(INFO, stdout="28.2.2\n")])
    kind = [
        Call(("version",), stdout="kind v0.29.0 go1.24.2 linux/amd64\n"),
        Call(("get", "clusters"), stdout="vpm-mini\n"),
    ]
    install(tmp_path / "bin", "kind", kind)


INSPECT = ("inspect", "--format={{.State.Status}}", NODE)


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        (Call(INSPECT, stdout="exited\n"), "warning", f"docker start {NODE}"),
        (Call(INSPECT, stdout="running\n"), "failure", "kind export logs --name vpm-mini"),
        (Call(INSPECT, stderr="No such object\n", exit=1), "warning", "vpm cluster up"),
    ],
)
def test_a_kept_cluster_that_does_not_answer(
    state: Path, tmp_path: Path, call: Call, status: str, words: str
) -> None:
    remember(state)
    docker(tmp_path, call)
    _, body = report("--cluster", "kind")
    found = of(body, "kept-cluster")
    assert found["status"] == status
    assert words in found["mend"]


def _begun(state: Path) -> None:
    ClusterFolder.of("kind", "vpm-mini", home=state).intend(Intent("o", "2026-11-22T09:00:00"))


def _damaged(state: Path) -> None:
    remember(state)
    (state / "kind" / "vpm-mini" / "created.json").write_text("{")


def _forged(state: Path) -> None:
    remember(state)
    (state / "kind" / "vpm-mini" / "created.json").write_text('{"provider": ["kind"]}')


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (_begun, "began at 2026-11-22T09:00:00 never ended"),
        (_damaged, "is not a record of a cluster"),
        (_forged, "is not a record of a cluster"),
    ],
)
def test_what_is_written_down_wrong_is_a_finding(
    state: Path, tmp_path: Path, arrange: Callable[[Path], None], words: str
) -> None:
    arrange(state)
    docker(tmp_path)
    _, body = report("--cluster", "kind")
    assert words in of(body, "kept-cluster")["seen"]


DENIED = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run"


@pytest.mark.parametrize(
    ("call", "words", "mend"),
    [
        (Call(INFO, stderr="Cannot connect to the Docker daemon\n", exit=1), "Cannot", "start it"),
        (Call(INFO, stderr=f"{DENIED}/docker.sock\n", exit=1), "permission denied", "usermod"),
        (Call(INFO, seconds=30), "no answer within", "start it"),
    ],
)
def test_an_engine_that_cannot_be_used(tmp_path: Path, call: Call, words: str, mend: str) -> None:
    install(tmp_path / "bin", "docker", [call])
    code, body = report("--cluster", "kind")
    assert code == 4
    found = of(body, "engine")
    assert words in found["seen"]
    assert mend in found["mend"]


def test_auto_on_a_machine_without_an_engine(tmp_path: Path) -> None:
    install(tmp_path / "bin", "docker", [Call(INFO, stderr="Cannot connect\n", exit=1)])
    _, body = report()
    assert body["provider"] == "embedded"
    assert "no Docker engine answers: Cannot connect" in body["why"]
