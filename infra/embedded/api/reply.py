"""Answers: JSON, Status objects, plain 404 pages, and what every answer carries."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from starlette.responses import PlainTextResponse, Response

from infra.embedded.errors import StatusError

JSON = "application/json"


def headers(warnings: Sequence[str] = ()) -> dict[str, str]:
    """The headers of every answer."""
    common = {"audit-id": str(uuid.uuid4()), "cache-control": "no-cache, private"}
    if warnings:
        common["warning"] = ", ".join(f'299 - "{_quoted(text)}"' for text in warnings)
    return common


def raw(body: bytes, *, code: int = 200, warnings: Sequence[str] = ()) -> Response:
    """JSON that is encoded already."""
    return Response(body, status_code=code, media_type=JSON, headers=headers(warnings))


def encoded(body: Any, *, code: int = 200, warnings: Sequence[str] = ()) -> Response:
    return raw(dump(body), code=code, warnings=warnings)


def dump(body: Any) -> bytes:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="replace")


def failure(error: StatusError, warnings: Sequence[str] = ()) -> Response:
    return encoded(error.status(), code=error.code, warnings=warnings)


def page_not_found() -> Response:
    return PlainTextResponse("404 page not found\n", status_code=404, headers=headers())


def success(details: dict[str, Any]) -> dict[str, Any]:
    """The Status object of a delete."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def _quoted(text: str) -> str:
    """Header text: quotes and backslashes escaped, nothing outside Latin-1 or below a blank."""
    safe = "".join(c if c.isprintable() else " " for c in text)
    return (
        safe.replace("\\", "\\\\")
        .replace('"', '\\"')
        .encode("latin-1", "replace")
        .decode("latin-1")
    )
