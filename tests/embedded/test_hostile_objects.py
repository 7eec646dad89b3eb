"""Objects that make no sense: whoever may write them harms nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster, serve
from tests.support.kservices import hello, ready

NETWORKING = "/apis/networking.internal.knative.dev/v1alpha1/namespaces/default"
PATH = {"splits": [{"serviceName": "x", "servicePort": 80, "percent": 100}]}


def rule(**more: Any) -> dict[str, Any]:
    return {"hosts": ["x.default"], "http": {"paths": [PATH]}, "visibility": "ExternalIP", **more}


ODD: tuple[tuple[str, dict[str, Any]], ...] = (
    (f"{NETWORKING}/ingresses", {"spec": {"rules": [rule(hosts=[{}])]}}),
    (f"{NETWORKING}/ingresses", {"spec": {"rules": [rule(hosts=["a b\n"])]}}),
    (f"{NETWORKING}/ingresses", {"spec": {"rules": [rule()]}}),
    (f"{NETWORKING}/ingresses", {"spec": {"rules": [rule()]}}),
    (f"{NETWORKING}/ingresses", {"spec": {"rules": [None]}}),
    (f"{NETWORKING}/ingresses", {"spec": "x"}),
    (f"{NETWORKING}/ingresses", {"spec": {}, "status": {"conditions": [{}]}}),
    (f"{NETWORKING}/serverlessservices", {"spec": {"mode": "Serve"}}),
    (f"{NETWORKING}/serverlessservices", {}),
    ("/api/v1/namespaces/default/services", {"spec": {"ports": [{"port": 70000}]}}),
    ("/api/v1/namespaces/default/services", {"spec": {"type": "ExternalName"}}),
    ("/api/v1/namespaces/default/pods", {"spec": {"containers": [None]}}),
    ("/apis/batch/v1/namespaces/default/cronjobs", {"spec": {"timeZone": "../../etc"}}),
    ("/apis/serving.knative.dev/v1/namespaces/default/routes", {"spec": {"traffic": [None]}}),
)


@pytest.mark.covers("robustness", "objects that make no sense harm no other, also after a restart")
def test_what_makes_no_sense(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "odd") as cluster:
        with cluster.http() as http:
            for number, (path, obj) in enumerate(ODD):
                body = {**obj, "metadata": {"name": f"odd-{number}"}}
                answer = http.post(path, content=json.dumps(body))
                assert answer.status_code < 500, f"{path}: {answer.text}"
        serves(cluster, "first")
    with serve(tmp_path / "state", "odd") as again:
        serves(again, "second")


def serves(cluster: Cluster, namespace: str) -> None:
    assert cluster.kubectl("create", "namespace", namespace).code == 0
    cluster.apply(hello(namespace, "World"))
    ready(cluster, namespace)
