"""Offering a finished run for review: a branch, a commit, a pull request. Idempotent per run."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx

from harness.contracts.forms import safe_name
from harness.contracts.paths import shown
from harness.core.errors import CommandError, UsageError
from harness.runner.folder import files_of
from harness.runner.git import GitRepository
from harness.runner.status import STATUS, read_status

GITHUB = "https://api.github.com"
TIMEOUT = 20.0
PATIENCE = 60.0
MAX_FILE = 4 * 1024 * 1024
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
_TOKEN = re.compile(r"[\x21-\x7e]+")
# git takes neither `..` nor `.lock` at the end in the name of a branch.
_REFUSED_IN_REFS = re.compile(r"\.(?=\.|lock$)")


@dataclass(frozen=True, slots=True)
class PullRequests:
    """GitHub's pull requests of one repository (`owner/name`), through its API.

    `patience` bounds a whole answer, in seconds: one that drips never runs into a timeout.
    """

    repository: str
    token: str
    api: str = GITHUB
    base: str = "main"
    patience: float = PATIENCE

    def find(self, branch: str) -> str | None:
        """The URL of the branch's pull request, open or closed; None when there is none.

        Errors:
            UsageError: the repository's name, the API's address or the token is none.
            CommandError: the API cannot be reached or refuses.
        """
        owner = self.repository.partition("/")[0]
        query = {"head": f"{owner}:{branch}", "base": self.base, "state": "all"}
        found = self._json("GET", params=query)
        return _url(found[0]) if isinstance(found, list) and found else None

    def offer(self, branch: str, *, title: str, body: str) -> str:
        """The URL of the branch's pull request; a new one when there is none.

        Errors:
            as for `find`.
        """
        wanted = {"title": title, "body": body, "head": branch, "base": self.base}
        return self.find(branch) or _url(self._json("POST", json=wanted))

    def _check(self) -> None:
        if not _REPOSITORY.fullmatch(self.repository):
            raise UsageError(f"--github {shown(self.repository)}: OWNER/NAME is wanted")
        if not _TOKEN.fullmatch(self.token):  # httpx would print the token that it cannot send
            raise UsageError("the token for GitHub holds blanks or letters that no token has")
        if not _is_http(self.api):
            raise UsageError(f"--api {shown(self.api)}: an http(s) URL is wanted")

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def _json(
        self,
        method: str,
        *,
        params: dict[str, str] | None = None,
        json: dict[str, str] | None = None,
    ) -> object:
        self._check()
        url = f"{self.api.rstrip('/')}/repos/{self.repository}/pulls"
        try:
            response = _within(
                self.patience,
                partial(
                    httpx.request,
                    method,
                    url,
                    params=params,
                    json=json,
                    headers=self._headers(),
                    timeout=TIMEOUT,
                    follow_redirects=True,  # GitHub's answer for a repository that was renamed
                ),
            )
            value: object = response.json() if response.is_success else None
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # a redirect may lead nowhere
            raise CommandError(f"{self.api} cannot be reached: {error}") from error
        except ValueError as error:
            raise CommandError(f"{method} {url}: the answer is not JSON") from error
        if not response.is_success:
            said = shown(response.text[:300])
            raise CommandError(f"{method} {url}: {response.status_code} {said}")
        return value


@dataclass(frozen=True, slots=True)
class GitPublisher:
    """Publishes runs on branches `vpm/run/<run_id>`; implements the port `Publisher`.

    The contract leaves `inbox` (a path in the repository) with the commit that shows its run:
    a fresh checkout does not bring it back.
    """

    repository: GitRepository
    inbox: str = "codex/inbox"
    remote: str | None = None
    pulls: PullRequests | None = None

    def publish(self, run_id: str, folder: Path) -> str:
        """Offer a run's folder for review: the URL of its pull request, or its branch.

        Errors:
            UsageError: not a finished run, or published before with other content.
            CommandError: git or GitHub refused.
        """
        status = read_status(folder / STATUS)
        branch = f"vpm/run/{_REFUSED_IN_REFS.sub('-', safe_name(run_id))}"
        files = {
            f"reports/codex_runs/{safe_name(run_id)}/{path.name}": _content(path)
            for path in files_of(folder)
        }
        title = f"Run {run_id}: {status.state}"
        message = f"{title}\n\n{status.reason}\n"
        self.repository.commit(
            branch,
            files,
            removed=[f"{self.inbox}/{status.contract_file}"],
            message=message,
            at=datetime.fromisoformat(status.until),
        )
        if self.pulls and (known := self.pulls.find(branch)):
            return known  # a branch that was merged and deleted is not pushed again
        if self.remote:
            self.repository.push(self.remote, branch)
        if self.pulls:
            return self.pulls.offer(branch, title=title, body=status.reason)
        return branch


def _within(seconds: float, ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer, if it is whole by then; httpx bounds only the time between two of its bytes.

    Errors:
        httpx.HTTPError: as of `ask`, or there is no whole answer.
    """
    answer: Future[httpx.Response] = Future()

    def wait() -> None:
        try:
            answer.set_result(ask())
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            answer.set_exception(error)

    # A daemon: whoever still waits for the rest does not keep the program from its end.
    threading.Thread(target=wait, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise httpx.ReadTimeout(f"no whole answer within {seconds:g} s") from None


def _is_http(url: str) -> bool:
    try:
        return httpx.URL(url).scheme in ("http", "https")
    except httpx.InvalidURL:
        return False


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if len(content) > MAX_FILE:
        raise UsageError(f"{path}: {len(content)} bytes; at most {MAX_FILE} are published")
    return content


def _url(value: object) -> str:
    if not isinstance(value, dict) or "html_url" not in value:
        raise CommandError("GitHub answered without the URL of a pull request")
    return str(value["html_url"])
