"""Publishing a run: git repositories and a local fake of GitHub's API."""

from __future__ import annotations

import json
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.core.errors import CommandError, UsageError
from harness.runner.git import GitRepository
from harness.runner.publish import GitPublisher, PullRequests
from tests.support.runner import Desk


def git(folder: Path, *arguments: str) -> str:
    """Run git; returns what it printed."""
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def run_folder(desk: Desk) -> Path:
    """The record of a run."""
    return Path(desk.runner().execute(desk.contract()).folder)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit and an untracked file."""
    folder = tmp_path / "git"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / "README.md").write_text("x")
    git(folder, "add", "README.md")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "untracked").write_text("mine")
    return folder


def test_a_run_becomes_a_branch_with_one_commit(repository: Path, run_folder: Path) -> None:
    branch = GitPublisher(GitRepository(repository)).publish("apply_hello", run_folder)

    assert branch == "vpm/run/apply_hello"
    assert git(repository, "rev-list", "--count", f"main..{branch}") == "1"
    changed = git(repository, "diff", "--name-only", "main", branch).splitlines()
    assert "reports/codex_runs/apply_hello/status.json" in changed
    assert all(name.startswith("reports/codex_runs/apply_hello/") for name in changed)


def test_every_file_that_the_status_names_is_published(desk: Desk, repository: Path) -> None:
    contract = desk.contract(signed=False)
    desk.runner().execute(contract)
    second = desk.runner().execute(contract)
    branch = GitPublisher(GitRepository(repository)).publish(second.run_id, Path(second.folder))
    changed = git(repository, "diff", "--name-only", "main", branch).splitlines()
    folder = f"reports/codex_runs/{second.run_id}"
    assert set(changed) == {f"{folder}/{file.path}" for file in second.artefacts}
    assert f"{folder}/.contract" in changed


def test_the_contract_leaves_the_inbox_with_its_run(repository: Path, run_folder: Path) -> None:
    inbox = repository / "codex" / "inbox"
    inbox.mkdir(parents=True)
    for name in ("apply_hello", "other"):
        (inbox / f"{name}.json").write_text("{}")
    git(repository, "add", "codex")
    git(repository, "commit", "-q", "-m", "contracts")

    branch = GitPublisher(GitRepository(repository)).publish("apply_hello", run_folder)

    left = git(repository, "ls-tree", "--name-only", f"{branch}:codex/inbox")
    assert left == "other.json"


def test_the_checkout_is_left_alone(repository: Path, run_folder: Path) -> None:
    before = git(repository, "status", "--porcelain"), git(repository, "rev-parse", "main")
    GitPublisher(GitRepository(repository)).publish("apply_hello", run_folder)
    assert (
        git(repository, "status", "--porcelain"),
        git(repository, "rev-parse", "main"),
    ) == before
    assert git(repository, "symbolic-ref", "--short", "HEAD") == "main"


def test_publishing_twice_is_publishing_once(repository: Path, run_folder: Path) -> None:
    publisher = GitPublisher(GitRepository(repository))
    branch = publisher.publish("apply_hello", run_folder)
    first = git(repository, "rev-parse", branch)
    (repository / "README.md").write_text("y")
    git(repository, "commit", "-q", "-am", "main goes on")

    assert publisher.publish("apply_hello", run_folder) == branch
    assert git(repository, "rev-parse", branch) == first


def test_another_content_on_the_branch_is_an_error(repository: Path, run_folder: Path) -> None:
    publisher = GitPublisher(GitRepository(repository))
    publisher.publish("apply_hello", run_folder)
    (run_folder / "run.log").write_text("edited")
    with pytest.raises(UsageError, match=r"run\.log is different there"):
        publisher.publish("apply_hello", run_folder)


def test_a_bare_and_empty_repository_will_do(tmp_path: Path, run_folder: Path) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    branch = GitPublisher(GitRepository(bare)).publish("apply_hello", run_folder)
    assert git(bare, "rev-list", "--count", branch) == "1"


def test_a_branch_is_pushed_and_main_is_not(
    repository: Path, run_folder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    git(repository, "remote", "add", "origin", str(bare))
    GitPublisher(GitRepository(repository), remote="origin").publish("apply_hello", run_folder)
    assert git(bare, "for-each-ref", "--format=%(refname)") == "refs/heads/vpm/run/apply_hello"


@pytest.mark.parametrize("branch", ["main", "master"])
def test_the_default_branch_is_never_written(repository: Path, branch: str) -> None:
    with pytest.raises(UsageError, match="never published on"):
        GitRepository(repository).push("origin", branch)


def test_git_s_own_words_are_passed_on(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="not a git repository"):
        GitPublisher(GitRepository(tmp_path)).publish("apply_hello", run_folder)


def test_only_finished_runs_are_published(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no finished run"):
        GitPublisher(GitRepository(repository)).publish("x", tmp_path)


class FakeGitHub(BaseHTTPRequestHandler):
    """The two calls of the pulls API that are used."""

    pulls: list[dict[str, Any]]
    seen: list[str]
    renamed = ""

    def do_GET(self) -> None:
        self._note()
        if self._moved():
            return
        wanted = parse_qs(urlsplit(self.path).query)["head"][0]
        self._answer(200, [pull for pull in self.pulls if pull["head"] == wanted])

    def do_POST(self) -> None:
        self._note()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._moved():
            return
        if body["title"].endswith("refuse"):
            self._answer(422, {"message": "Validation Failed"})
            return
        number = len(self.pulls) + 1
        pull = {**body, "head": f"owner:{body['head']}", "html_url": f"https://gh/pull/{number}"}
        self.pulls.append(pull)
        self._answer(201, pull)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""

    def _moved(self) -> bool:
        path, _, query = self.path.partition("?")
        if path != self.renamed:
            return False
        self.send_response(307)
        self.send_header("Location", f"/repositories/1/pulls?{query}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def _note(self) -> None:
        self.seen.append(f"{self.command} {self.headers['Authorization']}")

    def _answer(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def github() -> Iterator[tuple[str, type[FakeGitHub]]]:
    """A fake of GitHub's API on a real socket: its base URL, and what it has seen."""
    handler = type("Handler", (FakeGitHub,), {"pulls": [], "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_pull_request_is_opened_once(
    github: tuple[str, type[FakeGitHub]], repository: Path, run_folder: Path
) -> None:
    api, handler = github
    pulls = PullRequests("owner/name", "t0ken", api=api)
    publisher = GitPublisher(GitRepository(repository), pulls=pulls)

    urls = {publisher.publish("apply_hello", run_folder) for _ in range(3)}

    assert urls == {"https://gh/pull/1"}
    assert [pull["title"] for pull in handler.pulls] == ["Run apply_hello: succeeded"]
    assert handler.seen.count("POST Bearer t0ken") == 1


def test_a_branch_that_was_merged_and_deleted_stays_deleted(
    github: tuple[str, type[FakeGitHub]], repository: Path, run_folder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    git(repository, "remote", "add", "origin", str(bare))
    pulls = PullRequests("owner/name", "t0ken", api=github[0])
    publisher = GitPublisher(GitRepository(repository), remote="origin", pulls=pulls)
    publisher.publish("apply_hello", run_folder)
    git(bare, "branch", "-D", "vpm/run/apply_hello")

    assert publisher.publish("apply_hello", run_folder) == "https://gh/pull/1"
    assert git(bare, "for-each-ref") == ""


def test_what_github_refuses_is_told(github: tuple[str, type[FakeGitHub]]) -> None:
    pulls = PullRequests("owner/name", "t0ken", api=github[0])
    with pytest.raises(CommandError, match=r"POST .*/repos/owner/name/pulls: 422 .*Validation"):
        pulls.offer("b", title="refuse", body="")


@pytest.mark.parametrize("repository", ["", "name", "../x", "a/..", "a/b/c", "a b/c", "a/b?x=1"])
def test_a_repository_that_is_none_is_told(repository: str) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME is wanted"):
        PullRequests(repository, "t0ken").offer("b", title="t", body="")


@pytest.mark.parametrize("token", ["", "t0ken\nX-Evil: 1", "t0ken t0ken", "t0kén"])
def test_a_token_that_cannot_be_sent_is_not_shown(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        PullRequests("owner/name", token, api="http://127.0.0.1:1").offer("b", title="t", body="")
    assert "t0k" not in str(caught.value)


@pytest.mark.parametrize("api", ["", "ftp://x", "x", "file:///etc", "http://\x00"])
def test_an_api_that_is_no_url_is_told(api: str) -> None:
    with pytest.raises(UsageError, match="URL is wanted"):
        PullRequests("owner/name", "t0ken", api=api).offer("b", title="t", body="")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe", "not JSON"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "not JSON"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "304"),
        (b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", "cannot be"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\n\x1b[2Jx", r"502 \\x1b\[2Jx"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n[", "cannot be reached"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot be reached"),
        (b"", "cannot be reached"),
    ],
)
def test_what_is_no_answer_of_github_is_told(answer: bytes, said: str) -> None:
    with _answering(answer) as api, pytest.raises(CommandError, match=said):
        PullRequests("owner/name", "t0ken", api=api).offer("b", title="t", body="")


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX-Wait: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_drips_is_given_up(begin: bytes) -> None:
    """No byte is late, in head or body, and the answer never ends."""
    over = threading.Event()

    def drip(send: Callable[[bytes], None]) -> None:
        send(begin)
        while not over.wait(0.05):
            send(b" ")

    with _serving(drip) as api:
        pulls = PullRequests("acme/repo", "token", api, patience=1.0)
        with pytest.raises(CommandError, match="cannot be reached: no whole answer within 1 s"):
            pulls.find("vpm/run/x")
        over.set()


@contextmanager
def _serving(answer: Callable[[Callable[[bytes], None]], None]) -> Iterator[str]:
    """A server that answers everybody as it is told, and hangs up; its base URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            with suppress(OSError):
                answer(self.request.sendall)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _answering(answer: bytes) -> AbstractContextManager[str]:
    """A server that says the same to everybody, and hangs up; its base URL."""
    return _serving(lambda send: send(answer))


def test_a_renamed_repository_is_followed(github: tuple[str, type[FakeGitHub]]) -> None:
    api, handler = github
    handler.renamed = "/repos/owner/name/pulls"
    url = PullRequests("owner/name", "t0ken", api=api).offer("b", title="t", body="")
    assert (url, handler.pulls[0]["head"]) == ("https://gh/pull/1", "owner:b")


def test_an_api_that_is_not_there_is_told() -> None:
    pulls = PullRequests("owner/name", "t0ken", api="http://127.0.0.1:1")
    with pytest.raises(CommandError, match="cannot be reached") as caught:
        pulls.offer("b", title="t", body="")
    assert "t0ken" not in str(caught.value)


def test_an_answer_without_a_url_is_told(github: tuple[str, type[FakeGitHub]]) -> None:
    api, handler = github
    handler.pulls.append({"head": "owner:b"})
    with pytest.raises(CommandError, match="without the URL"):
        PullRequests("owner/name", "t0ken", api=api).offer("b", title="t", body="")


@pytest.mark.parametrize("run_id", ["a..b", "x.lock", "a...lock"])
def test_a_name_that_git_does_not_take_is_changed(
    repository: Path, run_folder: Path, run_id: str
) -> None:
    branch = GitPublisher(GitRepository(repository)).publish(run_id, run_folder)
    assert git(repository, "rev-list", "--count", f"main..{branch}") == "1"


def test_inside_a_hook_of_another_repository(
    repository: Path, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "-b", "main", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    GitPublisher(GitRepository(repository)).publish("apply_hello", run_folder)
    monkeypatch.delenv("GIT_DIR")
    assert git(repository, "rev-list", "--count", "main..vpm/run/apply_hello") == "1"
    assert git(tmp_path / "other", "for-each-ref") == ""


def test_a_huge_file_is_not_published(repository: Path, run_folder: Path) -> None:
    (run_folder / "huge.log").write_bytes(b"x" * 5_000_000)
    with pytest.raises(UsageError, match=r"huge\.log: 5000000 bytes"):
        GitPublisher(GitRepository(repository)).publish("apply_hello", run_folder)


def test_a_status_that_is_none_is_told(repository: Path, run_folder: Path) -> None:
    (run_folder / "status.json").write_text("{}")
    with pytest.raises(UsageError, match="not the status of a run"):
        GitPublisher(GitRepository(repository)).publish("apply_hello", run_folder)
