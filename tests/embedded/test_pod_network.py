"""The pods' network without namespaces: each pod has an address and a port of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import serve
from tests.support.kservices import ask, hello, ready


@pytest.mark.covers("pods", "services side by side without network namespaces")
def test_on_loopback_services_work_side_by_side(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "loop", "--pod-network", "loopback") as cluster:
        assert cluster.info["pod_network"] == "loopback"
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
        cluster.apply(space, hello("default", "One"), hello("other", "Two"))
        for namespace, target in (("default", "One"), ("other", "Two")):
            ready(cluster, namespace)
            assert ask(cluster, namespace) == f"Hello {target}!\n"
        path = "jsonpath={.items[*].status.podIP}"
        mine = ("-A", "-l", "serving.knative.dev/service")
        addresses = cluster.kubectl("get", "pods", *mine, "-o", path).out.split()
        assert len(set(addresses)) == 2
        assert all(address.startswith("127.") for address in addresses)
