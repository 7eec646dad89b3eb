"""How a Kubernetes API server can fail its client."""

from __future__ import annotations

import json
from typing import Any, Final

from harness.core.errors import ClusterError

_MENDS: Final = {
    400: "the request was not understood: compare the API versions of cluster and manifest",
    401: "the credentials have expired or are not known to this cluster: log in again",
    403: "ask for the permission named above, or use a context that has it; infra/agent/rbac.yaml "
    "of vpm-harness has all that probes need",
    409: "somebody else changed the object at the same time: try again",
    422: "correct the field named above",
    429: "the API server is overloaded: try again later",
    500: "an admission webhook or the API server itself failed: `vpm doctor` names which",
    503: "the API server is not ready: try again when its pods are Ready",
}
_NOBODY: Final = (
    "the request came without credentials: look at what the kubeconfig says of the context's user"
)


class ApiError(ClusterError):
    """The API server refused a request; `status` is the HTTP status, 0 without an answer."""

    def __init__(self, message: str, *, status: int) -> None:
        nobody = status == 403 and '"system:anonymous"' in message
        super().__init__(message, mend=_NOBODY if nobody else _MENDS.get(status))
        self.status = status


class Unreachable(ClusterError):
    """No answer at all from the API server."""


class NotAnApi(ClusterError):
    """Something answers that is not a Kubernetes API server."""

    def __init__(self, message: str) -> None:
        mend = "check that the kubeconfig's server is a Kubernetes API, not a proxy's login page"
        super().__init__(message, mend=mend)


def api_error(error: Any, method: str, path: str, *, context: str) -> ApiError:
    """An ApiError with the words of the server's Status object, where it sent one."""
    words = str(error.reason or "no answer")
    try:
        status = json.loads(error.body or "")
    except ValueError:
        status = None
    if isinstance(status, dict):
        words = str(status.get("message") or words)
    return ApiError(
        f"{context} refused {method.upper()} {path} with {error.status}: {words}",
        status=int(error.status or 0),
    )
