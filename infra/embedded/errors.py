"""Errors with Kubernetes' own reasons, codes and messages.

StatusError
|- BadRequest 400          |- MethodNotAllowed 405   |- TooLarge 413
|- Unauthorized 401        |- NotAcceptable 406      |- UnsupportedMediaType 415
|- Forbidden 403           |- AlreadyExists 409      |- Invalid 422
`- NotFound 404            |- Conflict 409           `- InternalError 500
                           `- Expired 410
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.embedded.kinds import Kind


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of `details.causes`: why one field was refused."""

    reason: str
    message: str
    field: str

    def as_json(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class StatusError(Exception):
    """An answer other than success, ready to be sent as a `Status` object."""

    code = 500
    reason = "InternalError"

    def __init__(
        self, message: str, *, details: dict[str, Any] | None = None, code: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if code is not None:
            self.code = code

    def status(self) -> dict[str, Any]:
        """The body of the answer."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


class BadRequest(StatusError):
    code, reason = 400, "BadRequest"


class Unauthorized(StatusError):
    code, reason = 401, "Unauthorized"

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class Forbidden(StatusError):
    code, reason = 403, "Forbidden"


class MethodNotAllowed(StatusError):
    code, reason = 405, "MethodNotAllowed"

    def __init__(self) -> None:
        super().__init__(
            "the server does not allow this method on the requested resource", details={}
        )


class NotAcceptable(StatusError):
    code, reason = 406, "NotAcceptable"


class TooLarge(StatusError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(StatusError):
    code, reason = 415, "UnsupportedMediaType"


class InternalError(StatusError):
    code, reason = 500, "InternalError"


class Expired(StatusError):
    """410: the resourceVersion asked for is no longer in the history."""

    code, reason = 410, "Expired"

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {asked} ({oldest})")


class NotFound(StatusError):
    code, reason = 404, "NotFound"

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__(f'{kind.resource} "{name}" not found', details=_object(kind, name))


class AlreadyExists(StatusError):
    code, reason = 409, "AlreadyExists"

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__(f'{kind.resource} "{name}" already exists', details=_object(kind, name))


MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class Conflict(StatusError):
    code, reason = 409, "Conflict"

    def __init__(self, kind: Kind, name: str, why: str = MODIFIED) -> None:
        super().__init__(
            f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}',
            details=_object(kind, name),
        )


class Invalid(StatusError):
    """422: one or more fields were refused; each cause names its field."""

    code, reason = 422, "Invalid"

    def __init__(self, kind: Kind, name: str, causes: Sequence[Cause]) -> None:
        problems = [f"{c.field}: {c.message}" if c.field else c.message for c in causes]
        listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        subject = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
        super().__init__(
            f'{subject} "{name}" is invalid: {listed}',
            details={
                "name": name,
                **({"group": kind.group} if kind.group else {}),
                "kind": kind.kind,
                "causes": [cause.as_json() for cause in causes],
            },
        )


def _object(kind: Kind, name: str) -> dict[str, Any]:
    group = {"group": kind.group} if kind.group else {}
    return {"name": name, **group, "kind": kind.plural}
