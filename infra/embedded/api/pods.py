"""The subresources of pods: log and exec."""

from typing import Any

from starlette.responses import Response

from infra.embedded.api.context import Api, Call
from infra.embedded.errors import BadRequest, StatusError


async def log(api: Api, call: Call) -> Response:
    """The output of a container."""
    del api, call
    raise StatusError("logs are not available", code=501)


async def upgrade_required(api: Api, call: Call) -> Response:
    """exec is spoken over WebSocket only."""
    del api, call
    raise BadRequest("Upgrade request required")


async def exec_(api: Api, websocket: Any) -> None:
    """Run a command in a container."""
    del api
    await websocket.close()
