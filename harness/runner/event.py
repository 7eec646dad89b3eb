"""A GitHub event payload, read as a comment. Only new comments count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.contracts.asked import Author
from harness.contracts.model import Origin
from harness.contracts.strict_json import text_of
from harness.core.errors import UsageError

MAX_PAYLOAD = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, who wrote it, and where."""

    text: str
    author: Author
    origin: Origin


class _Payload(BaseModel):
    """GitHub sends much more; only what is used is named here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _User(_Payload):
    login: str


class _Comment(_Payload):
    body: str
    user: _User
    author_association: str
    html_url: str = ""


class _Issue(_Payload):
    number: int


class _Repository(_Payload):
    full_name: str


class _Event(_Payload):
    action: str
    comment: _Comment
    issue: _Issue | None = Field(None)
    pull_request: _Issue | None = Field(None)
    repository: _Repository


def read_event(path: Path) -> Comment:
    """The comment in the file that GITHUB_EVENT_PATH names.

    Errors:
        UsageError: unreadable, no comment event, or a comment that was edited or deleted.
    """
    try:
        if path.stat().st_size > MAX_PAYLOAD:
            raise UsageError(f"{path}: larger than {MAX_PAYLOAD} bytes")
        value = json.loads(path.read_bytes())
        text_of(value)  # no contract could hold a lone surrogate
        event = _Event.model_validate(value)
        return _comment(event, path)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: not a comment event: {place}: {first['msg']}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a readable event: {error}") from error


def _comment(event: _Event, path: Path) -> Comment:
    if event.action != "created":
        raise UsageError(f"{path}: the comment was {event.action}; only new comments count")
    thread = event.issue or event.pull_request
    return Comment(
        text=event.comment.body,
        author=Author(event.comment.user.login, event.comment.author_association),
        origin=Origin(
            repo=event.repository.full_name,
            number=thread.number if thread else None,
            author=event.comment.user.login,
            association=event.comment.author_association,
            url=event.comment.html_url[:500],
        ),
    )
