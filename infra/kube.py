"""The API server's client: the one place that uses the `kubernetes` package.

It takes a quarter of a second to import, so it is imported on first use; `warm_up` lets a
caller pay for it while something else is starting.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from harness.ports import Clock, JsonObject, ResourceKind
from harness.timing.clock import SystemClock
from infra.kube_errors import ApiError, NotAnApi, Unreachable, api_error
from infra.kube_login import LOGIN_TIMEOUT, log_in
from infra.kube_user import impersonation

__all__ = ["ApiError", "KubernetesClient", "Unreachable", "is_loopback", "resource_path", "warm_up"]

Json = dict[str, Any]

_CONNECT_TIMEOUT: Final = 5.0
_READ_TIMEOUT: Final = 30.0
_PAGE: Final = 500
_RELIST_PAUSE: Final = 0.2


def warm_up() -> None:
    """Import the client library now, while something else is starting."""
    import kubernetes  # noqa: F401


class KubernetesClient:
    """Implements `harness.ports.KubeClient` for one context of one kubeconfig file.

    Nothing is read or opened before the first call. Every failure is a ClusterError: ApiError
    when the server answered, Unreachable when it did not within `timeout` seconds (asked twice).
    """

    def __init__(
        self,
        kubeconfig: Path,
        context: str,
        *,
        clock: Clock | None = None,
        timeout: float = _READ_TIMEOUT,
    ) -> None:
        self._clock = clock or SystemClock()
        self._server = _Server(kubeconfig, context, timeout)

    def get(self, kind: ResourceKind, namespace: str, name: str) -> JsonObject | None:
        """The object, or None when there is none (or its kind is not served)."""
        try:
            return self._server.json("get", resource_path(kind, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, kind: ResourceKind, namespace: str | None = None, *, selector: str = ""
    ) -> Sequence[JsonObject]:
        """All objects of a kind, in one namespace or in all; none when it is not served."""
        items: list[JsonObject] = []
        token: str | None = None
        while True:
            try:
                page = self._server.json(
                    "get",
                    resource_path(kind, namespace or ""),
                    limit=_PAGE,
                    label_selector=selector or None,
                    _continue=token,
                )
            except ApiError as error:
                if error.status == 404:
                    return ()
                raise
            items.extend(_said(page, "items"))
            token = _said(page, "metadata").get("continue")
            if not token:
                return tuple(items)

    def create(self, kind: ResourceKind, namespace: str, body: JsonObject) -> JsonObject:
        """Create an object and return it as stored."""
        return self._server.json("post", resource_path(kind, namespace), body=dict(body))

    def patch(self, kind: ResourceKind, namespace: str, name: str, body: JsonObject) -> JsonObject:
        """Merge `body` into the object (JSON merge patch: lists are replaced whole)."""
        return self._server.json(
            "patch",
            resource_path(kind, namespace, name),
            body=dict(body),
            content_type="application/merge-patch+json",
        )

    def delete(self, kind: ResourceKind, namespace: str, name: str, *, uid: str = "") -> None:
        """Delete in the background, with `uid` just that object (else 409); gone is no error."""
        options = {"body": {"preconditions": {"uid": uid}}} if uid else {}
        try:
            self._server.json("delete", resource_path(kind, namespace, name), **options)
        except ApiError as error:
            if error.status != 404:
                raise

    def watch(
        self, kind: ResourceKind, namespace: str, name: str, *, timeout: float
    ) -> Iterator[JsonObject]:
        """The object now (if there is one) and after each change, for `timeout` seconds.

        A deletion yields nothing; an object that comes back is yielded again.
        """
        deadline = self._clock.monotonic() + timeout
        path = resource_path(kind, namespace)
        only = f"metadata.name={name}"
        while (left := deadline - self._clock.monotonic()) > 0:
            listed = self._server.json("get", path, field_selector=only)
            yield from _said(listed, "items")
            version = _said(listed, "metadata").get("resourceVersion")
            for event in self._server.events(path, selector=only, version=version, seconds=left):
                if event["type"] == "ERROR" or self._clock.monotonic() >= deadline:
                    break
                if event["type"] in ("ADDED", "MODIFIED"):
                    yield event["object"]
            # A server that ends every watch at once must not be listed in a tight loop.
            self._clock.sleep(max(0.0, min(_RELIST_PAUSE, deadline - self._clock.monotonic())))

    def logs(self, namespace: str, pod: str, *, container: str = "", tail: int = 200) -> str:
        """The last `tail` lines of a container's log."""
        query = [("tailLines", tail), *([("container", container)] if container else [])]
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"
        response = self._server.request("get", path, query_params=query)
        return bytes(response.data).decode(errors="replace")

    def serves(self, kind: ResourceKind) -> bool:
        """Whether the server knows this kind in this version."""
        try:
            found = self._server.json("get", group_path(kind))
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return any(resource["name"] == kind.plural for resource in _said(found, "resources"))

    def server_version(self) -> str:
        """The Kubernetes version without its `v`, for example `1.33.13`."""
        return str(_said(self._server.json("get", "/version"), "gitVersion")).removeprefix("v")


class _Server:
    """One connection pool to one API server, opened on the first request."""

    def __init__(self, kubeconfig: Path, context: str, timeout: float) -> None:
        self._kubeconfig, self._context = kubeconfig, context
        self._timeouts = (min(_CONNECT_TIMEOUT, timeout), timeout)

    @cached_property
    def _dynamic(self) -> Any:
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.config import ConfigException, load_kube_config
        from kubernetes.dynamic import DynamicClient

        settings = Configuration()
        settings.retries = 1

        def login() -> None:
            try:
                load_kube_config(  # type: ignore[no-untyped-call]
                    str(self._kubeconfig),
                    self._context,
                    client_configuration=settings,
                    persist_config=False,
                )
            except ConfigException as error:
                raise ValueError(str(error)) from error

        # Who wants an answer soon (a check-up) does not wait for somebody who logs in elsewhere.
        patience = min(LOGIN_TIMEOUT, 4 * self._timeouts[1])
        log_in(
            login,
            settings,
            kubeconfig=self._kubeconfig,
            context=self._context,
            timeout=patience,
        )
        if is_loopback(settings.host):
            settings.proxy = None  # As kubectl does, whatever the environment says.
        client = ApiClient(settings)
        for name, value in impersonation(self._kubeconfig, self._context).items():
            client.set_default_header(name, value)  # type: ignore[no-untyped-call]
        # Paths are known, so nothing needs to be discovered first.
        undiscovered = {"discoverer": lambda _client, _cache: None}
        return DynamicClient(client, **undiscovered)  # type: ignore[no-untyped-call]

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The response to one request; options are those of DynamicClient.request."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        timeout = options.pop("_request_timeout", self._timeouts)
        try:
            return self._dynamic.request(
                method, path, serialize=False, _request_timeout=timeout, **options
            )
        except ApiException as error:
            raise api_error(error, method, path, context=self._context) from error
        except (HTTPError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise Unreachable(
                f"the API server of context {self._context} does not answer: {reason}",
                mend="check that the cluster runs and that this machine reaches it "
                f"(kubectl --context {self._context} version)",
            ) from error

    def json(self, method: str, path: str, **options: Any) -> Json:
        """The decoded answer to one request."""
        response = self.request(method, path, **options)
        return _decoded(response.data, path)

    def events(
        self, path: str, *, selector: str, version: str | None, seconds: float
    ) -> Iterator[Json]:
        """The watch's events for at most `seconds`, or until the server ends the stream."""
        from urllib3.exceptions import HTTPError

        response = self.request(
            "get",
            path,
            watch=True,
            field_selector=selector,
            resource_version=version,
            timeout_seconds=math.ceil(seconds),
            _request_timeout=(_CONNECT_TIMEOUT, seconds),
        )
        try:
            for line in _lines(response.stream(amt=None)):
                yield _decoded(line, path)
        except HTTPError:
            return  # A quiet or broken stream: the caller lists again if time is left.
        finally:
            response.close()


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine by an address or name that never leaves it."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def group_path(kind: ResourceKind) -> str:
    """The path of the kind's group and version."""
    return f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"


def resource_path(kind: ResourceKind, namespace: str = "", name: str = "") -> str:
    """The path of a collection or, with `name`, of one object."""
    scope = f"/namespaces/{quote(namespace, safe='')}" if kind.namespaced and namespace else ""
    leaf = f"/{quote(name, safe='')}" if name else ""
    return f"{group_path(kind)}{scope}/{kind.plural}{leaf}"


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    pending = b""
    for chunk in chunks:
        *whole, pending = (pending + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())


def _decoded(data: bytes, path: str) -> Json:
    try:
        decoded: Json = json.loads(data)
    except ValueError as error:
        raise NotAnApi(f"the answer to {path} is not JSON: {data[:80]!r}") from error
    if not isinstance(decoded, dict):
        raise NotAnApi(f"the answer to {path} is no object: {data[:80]!r}")
    return decoded


def _said(answer: Json, key: str) -> Any:
    """What every answer of a Kubernetes API to such a request has."""
    try:
        return answer[key]
    except KeyError as error:
        raise NotAnApi(f"an answer has no {key!r}: {json.dumps(answer)[:80]}") from error
