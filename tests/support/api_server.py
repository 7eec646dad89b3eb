"""A small real HTTP server over FakeKube, for tests of the client and of the drivers.

Run as a program it also stands in for the embedded cluster's process:
    python api_server.py --state-dir DIR --name NAME [--ephemeral] [--fail TEXT]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from harness.ports import ResourceKind
from infra.clusters import resources
from tests.support.fake_kube import FakeKube, named, namespace

KINDS = {
    (kind.group, kind.plural): kind
    for kind in vars(resources).values()
    if isinstance(kind, ResourceKind)
}


class Handler(BaseHTTPRequestHandler):
    """Answers like an API server; `server.refuse` maps a path to a status to answer instead."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        if split.path == "/version":
            return self._send(200, {"gitVersion": f"v{self.kube.version}"})
        if split.path.endswith("/log"):
            return self._send_text(200, f"lines: {query.get('tailLines')}\n")
        kind, place, name = self._parse(split.path)
        if self._refused(split.path):
            return None
        if kind is None:
            return self._group(split.path)
        if name:
            found = self.kube.get(kind, place, name)
            return self._send(200, found) if found else self._status(404, f"{name} not found")
        if query.get("watch"):
            return self._watch()
        items = list(self.kube.list(kind, place or None, selector=query.get("labelSelector", "")))
        only = query.get("fieldSelector", "").removeprefix("metadata.name=")
        items = [item for item in items if not only or item["metadata"]["name"] == only]
        return self._send(200, self._page(items, query))

    def do_POST(self) -> None:
        kind, place, _ = self._parse(self.path)
        body = self._body()
        if kind and not self._refused(self.path):
            self._send(201, self.kube.create(kind, place, body))

    def do_PATCH(self) -> None:
        kind, place, name = self._parse(self.path)
        body = self._body()
        if kind and not self._refused(self.path):
            self._send(200, self.kube.patch(kind, place, name, body))

    def do_DELETE(self) -> None:
        kind, place, name = self._parse(self.path)
        if kind and self.kube.get(kind, place, name) is None:
            return self._status(404, f"{name} not found")
        if kind and not self._refused(self.path):
            self.kube.delete(kind, place, name)
            self._send(200, {"kind": "Status", "status": "Success"})
        return None

    def log_message(self, *_args: object) -> None:
        self.server.requests.append(self.requestline)

    @property
    def kube(self) -> FakeKube:
        return self.server.kube

    def _parse(self, path: str) -> tuple[ResourceKind | None, str, str]:
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        group = parts[1] if parts[0] == "apis" else ""
        rest = parts[3:] if group else parts[2:]
        if len(rest) > 2 and rest[0] == "namespaces":
            place, rest = rest[1], rest[2:]
        else:
            place = ""
        kind = KINDS.get((group, rest[0])) if rest else None
        return kind, place, rest[1] if len(rest) > 1 else ""

    def _refused(self, path: str) -> bool:
        status = self.server.refuse.get(urlsplit(path).path)
        if status:
            self._status(status, f"refused for the test with {status}")
        return bool(status)

    def _group(self, path: str) -> None:
        group = path.split("/")[2] if path.startswith("/apis/") else ""
        kinds = [kind for (name, _), kind in KINDS.items() if name == group]
        if not kinds or group in self.kube.hidden:
            return self._send_text(404, "404 page not found\n")
        return self._send(200, {"resources": [{"name": kind.plural} for kind in kinds]})

    def _page(self, items: list[Any], query: dict[str, str]) -> dict[str, Any]:
        size = min(self.server.page, int(query.get("limit", 500)))
        start = int(query.get("continue", 0))
        metadata = {"resourceVersion": "1"}
        if len(items) > start + size:
            metadata["continue"] = str(start + size)
        return {"metadata": metadata, "items": items[start : start + size]}

    def _watch(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in self.server.watches.pop(0) if self.server.watches else []:
            self.wfile.write(json.dumps(event).encode() + b"\n")
        self.close_connection = True

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _status(self, code: int, message: str) -> None:
        self._send(code, {"kind": "Status", "message": message, "reason": "Test", "code": code})

    def _send(self, code: int, body: object) -> None:
        self._send_text(code, json.dumps(body), kind="application/json")

    def _send_text(self, code: int, text: str, *, kind: str = "text/plain") -> None:
        data = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class ApiServer(ThreadingHTTPServer):
    """The server's state that tests set: refusals by path, page size, watch events."""

    daemon_threads = True

    def __init__(self, kube: FakeKube) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kube = kube
        self.refuse: dict[str, int] = {}
        self.page = 500
        self.watches: list[list[dict[str, Any]]] = []
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def write_kubeconfig(self, path: Path, context: str) -> Path:
        """A kubeconfig with one context that leads here."""
        entry = {"name": context}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{**entry, "cluster": {"server": self.url}}],
            "users": [{**entry, "user": {"token": "test"}}],
            "contexts": [{**entry, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        }
        path.write_text(yaml.safe_dump(config))
        return path


@contextmanager
def serving(kube: FakeKube) -> Iterator[ApiServer]:
    """Serve in a thread for the time of a with block."""
    with ApiServer(kube) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def knative_objects(version: str = "1.18.2") -> list[tuple[ResourceKind, dict[str, Any]]]:
    """What a cluster with Knative has, as far as the product looks (names as recorded)."""
    label = {resources.VERSION_LABEL: version}
    available = {"conditions": [{"type": "Available", "status": "True"}]}
    place = resources.SERVING_NAMESPACE
    return [
        namespace("kube-system"),
        namespace("default"),
        namespace(place),
        *(
            named(resources.DEPLOYMENT, place, name, labels=label, status=available)
            for name in ("activator", "autoscaler", "controller", "webhook")
        ),
        named(
            resources.DEPLOYMENT,
            place,
            "net-kourier-controller",
            labels={resources.VERSION_LABEL: "1.18.0"},
            status=available,
        ),
        named(
            resources.CONFIG_MAP,
            place,
            "config-network",
            data={"ingress-class": resources.KOURIER_INGRESS_CLASS},
        ),
        named(resources.CONFIG_MAP, place, "config-domain", data={"127.0.0.1.sslip.io": ""}),
    ]


def main() -> int:
    """Stand in for `python -m infra.embedded serve`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--ephemeral", action="store_true")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--images")
    options = parser.parse_args()
    if options.images == "fail":
        sys.stderr.write("error: the images file is wrong\n")
        return 4
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    with serving(FakeKube(*knative_objects(), version="1.33.13+embedded")) as server:
        state: Path = options.state_dir
        kubeconfig = server.write_kubeconfig(state / "kubeconfig", f"embedded-{options.name}")
        ready = {
            "name": options.name,
            "pid": os.getpid(),
            "kubeconfig": str(kubeconfig),
            "gateway": {"address": "127.9.9.9", "http": options.port, "https": None},
            "domain": "127.9.9.9.sslip.io",
            "time_scale": 1,
            "pod_network": "loopback",
        }
        temporary = state / ".cluster.json"
        temporary.write_text(json.dumps(ready))
        temporary.replace(state / "cluster.json")
        done.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
