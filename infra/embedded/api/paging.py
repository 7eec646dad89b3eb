"""Lists in pages: every page shows the objects as they were when the first one was made."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infra.embedded.api.target import Options
from infra.embedded.errors import BadRequest, Expired, StatusError
from infra.embedded.kinds import Kind
from infra.embedded.objects import Key, Stored
from infra.embedded.reading import Reading

_LATEST = -1  # in a token: the objects as they are, whatever the pages before showed
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a page begins: the state of the cluster, and the object after which it starts."""

    revision: int
    after: Key | None = None

    @property
    def token(self) -> str:
        content = {"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.after}
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


class ExpiredToken(StatusError):
    """410, with a token that goes on from the same place with the objects as they are."""

    code, reason = 410, "Expired"

    def __init__(self, start: Start) -> None:
        super().__init__(_TOO_OLD)
        self._next = Start(_LATEST, start.after)

    def status(self) -> dict[str, Any]:
        return super().status() | {"metadata": {"continue": self._next.token}}


def start_of(options: Options, current: int) -> Start:
    """Where the page that was asked for begins; raises BadRequest, or 504 for the future."""
    if options.continue_:
        if options.resource_version not in ("", "0"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        start = _decode(options.continue_)
        return Start(current, start.after) if start.revision == _LATEST else start
    asked = int(options.resource_version or 0)
    if asked > current:
        raise _too_large(asked, current)
    if options.match == "Exact":
        if not asked:
            raise BadRequest(
                "resourceVersionMatch is forbidden unless a resourceVersion other than 0 is "
                "provided"
            )
        return Start(asked)
    return Start(current)


def objects(store: Reading, kind: Kind, namespace: str | None, start: Start) -> Iterable[Stored]:
    """The objects of a page and of those after it, unsorted and unselected."""
    if start.revision == store.revision:
        return store.objects.select(kind, namespace, None)
    try:
        return list(store.as_of(kind, namespace, start.revision))
    except Expired:
        if start.after is not None:
            raise ExpiredToken(start) from None
        raise


def _decode(token: str) -> Start:
    try:
        content = json.loads(base64.urlsafe_b64decode(token.encode()))
        namespace, name = content["start"]
        return Start(int(content["rv"]), (str(namespace), str(name)))
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"continue key is not valid: {error}") from error


def _too_large(asked: int, current: int) -> StatusError:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    error = StatusError(
        f"Too large resource version: {asked}, current: {current}",
        details={"causes": [cause], "retryAfterSeconds": 1},
        code=504,
    )
    error.reason = "Timeout"
    return error
