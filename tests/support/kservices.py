"""hello as a KService, and asking it through the gateway."""

from __future__ import annotations

from typing import Any

from tests.support.cluster import Cluster
from tests.support.exchange import get


def hello(namespace: str, target: str, **template: Any) -> dict[str, Any]:
    env = [{"name": "TARGET", "value": target}]
    container = {"image": "dev.local/hello:v1", "env": env}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "hello", "namespace": namespace},
        "spec": {"template": {**template, "spec": {"containers": [container]}}},
    }


def ready(cluster: Cluster, namespace: str) -> None:
    done = cluster.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "-n", namespace,
                           "--timeout=30s")  # fmt: skip
    assert done.code == 0, done.err


def ask(cluster: Cluster, namespace: str) -> str:
    """The answer of hello: its body, or its status when that is not 200."""
    gateway = cluster.info["gateway"]
    host = f"hello.{namespace}.{cluster.info['domain']}"
    answer = get((gateway["address"], gateway["http"]), host)
    return answer.body.decode() if answer.status == "HTTP/1.1 200 OK" else answer.status
