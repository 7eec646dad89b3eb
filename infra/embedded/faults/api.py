"""A broken API server: requests that wait, fail, or find no webhook.

Faults themselves stay reachable, or nobody could mend them.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from infra.embedded.clock import Clock

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_OWN = "/apis/emulator.vpm.dev"
_SERVING = "/apis/serving.knative.dev/"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
# As recorded in 08-extra/webhook-down.json.
_WEBHOOK = (
    'Internal error occurred: failed calling webhook "{}": failed to call webhook: Post'
    ' "https://webhook.knative-serving.svc:443/{}?timeout=10s":'
    " dial tcp 10.96.133.78:443: connect: connection refused"
)
_DEFAULTING = ("webhook.serving.knative.dev", "defaulting")
_VALIDATION = ("validation.webhook.serving.knative.dev", "resource-validation")


@dataclass(frozen=True, slots=True)
class ApiFault:
    """How the API server misbehaves; `delay` in cluster seconds."""

    delay: float = 0.0
    down: bool = False
    no_webhook: bool = False

    def with_fault(self, kind: str, seconds: float) -> "ApiFault":
        """With one more fault, if it is one of the API server's."""
        match kind:
            case "api-slow":
                return replace(self, delay=seconds)
            case "api-down":
                return replace(self, down=True)
            case "webhook-down":
                return replace(self, no_webhook=True)
        return self


class BreakableApi:
    """The API server's application with its fault in front."""

    def __init__(self, app: App, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self.fault = ApiFault()
        self._webhook = True  # somebody answers for it

    def break_(self, fault: ApiFault) -> None:
        """Take this fault instead of the earlier one."""
        self.fault = fault

    def turn_webhook(self, on: bool) -> None:
        """Have Knative's webhook answer, or not."""
        self._webhook = on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault, path = self.fault, scope.get("path", "")
        if not self._webhook:
            fault = replace(fault, no_webhook=True)
        if fault == ApiFault() or scope["type"] != "http" or path.startswith(_OWN):
            await self._app(scope, receive, send)
            return
        if fault.delay:
            await self._clock.sleep(fault.delay)
        method = scope.get("method", "GET")
        if fault.down:
            await _status(send, 503, "ServiceUnavailable", "the server is currently unable to"
                          " handle the request")  # fmt: skip
        elif fault.no_webhook and method in _WRITES and path.startswith(_SERVING):
            webhook = _VALIDATION if method == "DELETE" else _DEFAULTING
            await _status(send, 500, "InternalError", _WEBHOOK.format(*webhook))
        else:
            await self._app(scope, receive, send)


async def _status(send: Send, code: int, reason: str, message: str) -> None:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    raw = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(raw))]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
