"""A kubectl that applies to FakeKube, controllers that react at once, and small manifests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import yaml

from harness.ports import CommandResult
from infra.clusters.resources import (
    CONFIG_MAP,
    CRD,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    KOURIER_NAMESPACE,
    SERVICE,
    SERVING_NAMESPACE,
    VERSION_LABEL,
)
from infra.knative.checks import SERVING_CRDS, SERVING_DEPLOYMENTS
from tests.support.fake_kube import FakeKube
from tests.support.fakes import FakeClock

# What kubectl said on a real cluster while Knative's webhook was down.
WEBHOOK_DOWN = (
    'Error from server (InternalError): error when creating "STDIN": Internal error occurred: '
    'failed calling webhook "webhook.serving.knative.dev": failed to call webhook: Post '
    '"https://webhook.knative-serving.svc:443/defaulting?timeout=10s": dial tcp '
    "10.96.133.78:443: connect: connection refused\n"
)


@dataclass
class RecordingClock(FakeClock):
    """A fake clock that remembers how long was slept each time."""

    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)


KINDS = {kind.kind: kind for kind in (CRD, DEPLOYMENT, CONFIG_MAP, SERVICE)}


class FakeKubectl:
    """Implements the port `Kubectl` for `apply -f -`; the first `failures` calls fail.

    With `idle`, controllers do not react to what is applied.
    """

    def __init__(
        self,
        kube: FakeKube,
        *,
        failures: int = 0,
        stderr: str = WEBHOOK_DOWN,
        idle: bool = False,
    ) -> None:
        self.kube = kube
        self.idle = idle
        self.failures = failures
        self.stderr = stderr
        self.applied: list[bytes] = []

    def run(
        self, args: Sequence[str], *, timeout: float, stdin: bytes | None = None
    ) -> CommandResult:
        assert list(args) == ["apply", "-f", "-"]
        assert timeout > 0
        assert stdin is not None
        if self.failures:
            self.failures -= 1
            return CommandResult(tuple(args), 1, "", self.stderr, 0.1)
        self.applied.append(stdin)
        for document in yaml.safe_load_all(stdin) if not self.idle else ():
            self._react(document)
        return CommandResult(tuple(args), 0, "applied\n", "", 0.1)

    def _react(self, document: dict[str, Any]) -> None:
        kind = KINDS[document["kind"]]
        if kind is CRD:
            document["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
        if kind is DEPLOYMENT:
            document["status"] = {"conditions": [{"type": "Available", "status": "True"}]}
        self.kube.put(kind, document)
        if document["metadata"]["name"] == "webhook":
            self.kube.put(ENDPOINT_SLICE, webhook_slice())


def webhook_slice() -> dict[str, Any]:
    """The webhook's EndpointSlice with one ready endpoint."""
    return {
        "metadata": {
            "name": "webhook-abcde",
            "namespace": SERVING_NAMESPACE,
            "labels": {"kubernetes.io/service-name": "webhook"},
        },
        "endpoints": [{"addresses": ["10.244.0.7"], "conditions": {"ready": True}}],
    }


def write_manifests(folder: Path, version: str = "1.18.1", kourier: str = "1.18.0") -> Path:
    """The three manifests, with as much in them as the bootstrap looks at."""
    folder.mkdir(parents=True, exist_ok=True)
    crds = [_object("CustomResourceDefinition", name, version) for name in SERVING_CRDS]
    core = [
        _object("ConfigMap", name, version, SERVING_NAMESPACE, data={"_example": "# long text"})
        for name in ("config-network", "config-domain")
    ]
    core += [
        _object("Deployment", name, version, SERVING_NAMESPACE, spec=_pod(name, version))
        for name in SERVING_DEPLOYMENTS
    ]
    gateway = {"spec": {"type": "LoadBalancer", "ports": _service_ports()}}
    network = [
        _object("Deployment", "net-kourier-controller", kourier, SERVING_NAMESPACE),
        _object("Deployment", "3scale-kourier-gateway", kourier, KOURIER_NAMESPACE),
        _object("Service", "kourier", kourier, KOURIER_NAMESPACE, **gateway),
    ]
    contents = {"serving-crds": crds, "serving-core": core, "kourier": network}
    for name, documents in contents.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(documents))
    return folder


def _object(kind: str, name: str, version: str, place: str = "", **rest: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": {VERSION_LABEL: version}}
    if place:
        metadata["namespace"] = place
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **rest}


def _pod(name: str, version: str) -> dict[str, Any]:
    image = f"gcr.io/knative-releases/knative.dev/serving/cmd/{name}:v{version}"
    return {"template": {"spec": {"containers": [{"name": name, "image": image}]}}}


def _service_ports() -> list[dict[str, Any]]:
    # A LoadBalancer gets NodePorts of the API server's choice.
    return [
        {"name": "http2", "port": 80, "targetPort": 8080, "nodePort": 30412},
        {"name": "https", "port": 443, "targetPort": 8443, "nodePort": 32001},
    ]


class _Envoy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response_only(404)
        self.send_header("server", "envoy")
        self.send_header("date", self.server.date or self.date_time_string())
        self.send_header("content-length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""


@contextmanager
def gateway(port: int = 0, *, date: str = "") -> Iterator[int]:
    """Something that answers as kourier does for an unknown host; yields its port."""
    with HTTPServer(("127.0.0.1", port), _Envoy) as server:
        server.date = date
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
