"""The official Python client: typed, dynamic, and its watches."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException

from tests.support.cluster import Cluster
from tests.support.wait import eventually

# The client leaves sockets of finished streams to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[Any]:
    made = config.new_client_from_config(str(cluster.kubeconfig))
    yield made
    made.close()
    gc.collect()


@pytest.fixture
def core(api: Any) -> Any:
    return client.CoreV1Api(api)


def config_map(name: str, **data: str) -> Any:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)


@pytest.mark.covers("Python client", "typed create, read, list, patch, replace, delete")
def test_typed(core: Any, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, config_map("a", x="1"))
    assert made.metadata.resource_version
    read = core.read_namespaced_config_map("a", namespace)
    assert read.data == {"x": "1"}
    patched = core.patch_namespaced_config_map("a", namespace, {"data": {"y": "2"}})
    assert patched.data == {"x": "1", "y": "2"}
    patched.data = {"z": "3"}
    assert core.replace_namespaced_config_map("a", namespace, patched).data == {"z": "3"}
    listed = core.list_namespaced_config_map(namespace, field_selector="metadata.name=a")
    assert [item.metadata.name for item in listed.items] == ["a"]
    core.delete_namespaced_config_map("a", namespace)
    with pytest.raises(ApiException) as raised:
        core.read_namespaced_config_map("a", namespace)
    assert raised.value.status == 404


@pytest.mark.covers("Python client", "custom objects")
def test_custom_objects(api: Any, namespace: str) -> None:
    custom = client.CustomObjectsApi(api)
    where = ("serving.knative.dev", "v1", namespace, "services")
    container = {"image": "dev.local/hello:v1"}
    body = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "hello"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    made = custom.create_namespaced_custom_object(*where, body)
    assert made["spec"]["template"]["spec"]["timeoutSeconds"] == 300
    made["spec"]["template"]["spec"]["timeoutSeconds"] = 60
    old = {**made, "metadata": {**made["metadata"], "resourceVersion": "1"}}
    with pytest.raises(ApiException) as raised:
        custom.replace_namespaced_custom_object(*where, "hello", old)
    assert raised.value.status == 409
    custom.delete_namespaced_custom_object(*where, "hello")


@pytest.mark.covers("Python client", "dynamic client with discovery and server-side apply")
def test_dynamic(api: Any, namespace: str) -> None:
    resources = dynamic.DynamicClient(api).resources
    maps = resources.get(api_version="v1", kind="ConfigMap")
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"x": "1"},
    }
    applied = maps.server_side_apply(body=body, namespace=namespace, field_manager="me")
    assert applied.data.x == "1"
    assert applied.metadata.managedFields[0].manager == "me"
    services = resources.get(api_version="serving.knative.dev/v1", kind="Service")
    assert (services.name, services.namespaced) == ("services", True)
    found = maps.get(namespace=namespace, label_selector="missing=yes")
    assert list(found.items) == []


@pytest.mark.covers("Python client", "watch from a list's resourceVersion")
def test_a_watch(core: Any, namespace: str) -> None:
    since = core.list_namespaced_config_map(namespace).metadata.resource_version
    seen: list[tuple[str, str]] = []
    watching = watch.Watch()

    def follow() -> None:
        events = watching.stream(
            core.list_namespaced_config_map,
            namespace,
            resource_version=since,
            field_selector="metadata.name=a",
            timeout_seconds=20,
        )
        for event in events:
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                watching.stop()

    thread = threading.Thread(target=follow)
    thread.start()
    core.create_namespaced_config_map(namespace, config_map("a"))
    core.patch_namespaced_config_map("a", namespace, {"data": {"x": "1"}})
    core.delete_namespaced_config_map("a", namespace)
    thread.join(20)
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


@pytest.mark.covers("Python client", "pods: logs and exec over WebSocket")
def test_logs_and_exec(core: Any, own: Cluster, namespace: str) -> None:
    from kubernetes.stream import stream

    script = "echo out; echo err >&2; sleep 60"
    container = client.V1Container(name="c", image="busybox", command=["sh", "-c", script])
    spec = client.V1PodSpec(containers=[container], termination_grace_period_seconds=0)
    pod = client.V1Pod(metadata=client.V1ObjectMeta(name="p"), spec=spec)
    core.create_namespaced_pod(namespace, pod)
    eventually(lambda: core.read_namespaced_pod("p", namespace).status.phase == "Running")
    eventually(lambda: "err" in core.read_namespaced_pod_log("p", namespace))
    assert set(core.read_namespaced_pod_log("p", namespace).split()) == {"out", "err"}
    answer = stream(
        core.connect_get_namespaced_pod_exec, "p", namespace,
        command=["sh", "-c", "echo hi; exit 3"], stdout=True, stderr=True, _preload_content=False,
    )  # fmt: skip
    answer.run_forever(timeout=20)
    assert (answer.read_stdout(), answer.returncode) == ("hi\n", 3)
    answer.sock.close()  # the client itself forgets it
