"""Objects of a namespace as a watch shows them, from before anything is changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import httpx

from tests.embedded.conformance.sequences import State, seen
from tests.support.cluster import KUBECTL, Cluster

# Where the objects are that recordings call by these kinds.
_SERVING = "apis/serving.knative.dev/v1"
_INTERNAL = "internal.knative.dev/v1alpha1"
PLACES = {
    "Service": (_SERVING, "services"),
    "Configuration": (_SERVING, "configurations"),
    "Revision": (_SERVING, "revisions"),
    "Route": (_SERVING, "routes"),
    "PodAutoscaler": (f"apis/autoscaling.{_INTERNAL}", "podautoscalers"),
    "Metric": (f"apis/autoscaling.{_INTERNAL}", "metrics"),
    "ServerlessService": (f"apis/networking.{_INTERNAL}", "serverlessservices"),
    "Ingress": (f"apis/networking.{_INTERNAL}", "ingresses"),
    "Image": ("apis/caching.internal.knative.dev/v1alpha1", "images"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "Pod": ("api/v1", "pods"),
    "K8sService": ("api/v1", "services"),
    "Endpoints": ("api/v1", "endpoints"),
    "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices"),
}
_PROXIES: set[subprocess.Popen[str]] = set()  # that live
_PORT = re.compile(r"127\.0\.0\.1:(\d+)")


@contextmanager
def following(cluster: Cluster, namespace: str, kinds: Iterable[str]) -> Iterator[list[State]]:
    """What happens to objects of these kinds until the end of the block, as it is seen.

    All lists are read before the block begins, so that nothing in it is missed.
    """
    states: list[State] = []
    with _proxy(cluster) as address, httpx.Client(base_url=address, timeout=None) as client:
        readers = []
        for kind in kinds:
            group, plural = PLACES[kind]
            url = f"/{group}/namespaces/{namespace}/{plural}"
            version = client.get(url).raise_for_status().json()["metadata"]["resourceVersion"]
            arguments = (address, url, version, kind, states)
            readers.append(threading.Thread(target=_read, args=arguments, daemon=True))
        for reader in readers:
            reader.start()
        yield states
    for reader in readers:
        reader.join()


def _read(address: str, url: str, version: str, kind: str, states: list[State]) -> None:
    """Collect the events of a watch until its connection ends."""
    parameters = {"watch": "true", "resourceVersion": version}
    try:
        with httpx.stream("GET", f"{address}{url}", params=parameters, timeout=None) as answer:
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                    states.append(seen(time.monotonic(), event["type"], kind, event["object"]))
    except (httpx.HTTPError, ValueError):
        return  # the proxy has ended


@contextmanager
def _proxy(cluster: Cluster) -> Iterator[str]:
    """An address at which the API answers without a token, whatever the kubeconfig has."""
    process = subprocess.Popen(
        [str(KUBECTL), "proxy", "--port=0"],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    _PROXIES.add(process)
    try:
        assert process.stdout is not None
        found = _PORT.search(process.stdout.readline())
        if found is None:
            raise RuntimeError("kubectl proxy does not start")
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        process.kill()
        process.wait()
        _PROXIES.discard(process)


def end() -> None:
    """End all proxies, for a process that is to end at once."""
    for process in tuple(_PROXIES):
        process.kill()
