"""The real kubectl: outputs, exit codes and messages as recorded (03-kubectl, 01-discovery)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from tests.support.cluster import Cluster

HELLO = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "hello"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {"image": "dev.local/hello:v1", "env": [{"name": "TARGET", "value": "World"}]}
                ]
            }
        }
    },
}
MANIFEST = yaml.safe_dump(HELLO)
CHANGED = MANIFEST.replace("World", "Kubernetes")
WARNING = (
    "Warning: Kubernetes default value is insecure, Knative may default this to secure in a future "
    "release: spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation, "
    "spec.template.spec.containers[0].securityContext.capabilities, "
    "spec.template.spec.containers[0].securityContext.runAsNonRoot, "
    "spec.template.spec.containers[0].securityContext.seccompProfile\n"
)
NOT_FOUND = 'Error from server (NotFound): services.serving.knative.dev "hello" not found\n'


@pytest.fixture
def there(cluster: Cluster, namespace: str) -> Iterator[list[str]]:
    """Arguments that name a namespace with a ready Service `hello`."""
    arguments = ["-n", namespace]
    made = cluster.kubectl("apply", "-f", "-", *arguments, stdin=MANIFEST)
    assert (made.out, made.err) == ("service.serving.knative.dev/hello created\n", WARNING)
    waited = cluster.kubectl(
        "wait", "--for=condition=Ready", "ksvc/hello", "--timeout=30s", *arguments
    )
    assert waited.out == "service.serving.knative.dev/hello condition met\n"
    yield arguments
    cluster.kubectl("delete", "ksvc", "hello", *arguments)


@pytest.mark.covers("kubectl", "an absent object: get, wait, delete",
                    recording="03-kubectl/lifecycle")  # fmt: skip
@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "ksvc", "hello"),
        ("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=5s"),
        ("delete", "ksvc", "hello"),
        ("get", "ksvc", "hello", "-o", "json", "--watch", "--output-watch-events"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_absent(cluster: Cluster, namespace: str, arguments: tuple[str, ...]) -> None:
    done = cluster.kubectl(*arguments, "-n", namespace)
    assert (done.code, done.out, done.err) == (1, "", NOT_FOUND)


@pytest.mark.covers("kubectl", "get of an empty list", recording="03-kubectl/lifecycle: get none")
def test_none(cluster: Cluster, namespace: str) -> None:
    done = cluster.kubectl("get", "ksvc", "-n", namespace)
    assert (done.code, done.out) == (0, "")
    assert done.err == f"No resources found in {namespace} namespace.\n"


@pytest.mark.covers(
    "kubectl", "dry runs of apply", recording="03-kubectl/lifecycle: apply dry-run=server"
)
@pytest.mark.parametrize(
    ("mode", "out", "err"),
    [("client", "created (dry run)", ""), ("server", "created (server dry run)", WARNING)],
)
def test_dry_run(cluster: Cluster, namespace: str, mode: str, out: str, err: str) -> None:
    arguments = ["apply", f"--dry-run={mode}", "-f", "-", "-n", namespace]
    done = cluster.kubectl(*arguments, stdin=MANIFEST)
    assert (done.out, done.err) == (f"service.serving.knative.dev/hello {out}\n", err)
    assert cluster.kubectl("get", "ksvc", "hello", "-n", namespace).err == NOT_FOUND


@pytest.mark.covers("kubectl", "diff: before creation, unchanged, changed, server-side",
                    recording="03-kubectl/lifecycle: diff")  # fmt: skip
def test_diff(cluster: Cluster, namespace: str) -> None:
    arguments = ["diff", "-f", "-", "-n", namespace]
    before = cluster.kubectl(*arguments, stdin=MANIFEST)
    assert before.code == 1
    assert "+      - env:\n+        - name: TARGET\n+          value: World\n" in before.out
    cluster.kubectl("apply", "-f", "-", "-n", namespace, stdin=MANIFEST)
    assert cluster.kubectl(*arguments, stdin=MANIFEST).code == 0
    changed = cluster.kubectl(*arguments, stdin=CHANGED)
    assert changed.code == 1
    assert "-          value: World\n+          value: Kubernetes\n" in changed.out
    assert "-  generation: 1\n+  generation: 2\n" in changed.out
    owned = cluster.kubectl("diff", "--server-side", "-f", "-", "-n", namespace, stdin=CHANGED)
    assert owned.code == 2
    assert (
        'conflict with "kubectl-client-side-apply" using serving.knative.dev/v1: '
        ".spec.template.spec.containers" in owned.err
    )


@pytest.mark.covers("kubectl", "apply of an unchanged manifest says configured",
                    recording="03-kubectl/apply-unchanged-says-configured")  # fmt: skip
def test_unchanged(cluster: Cluster, there: list[str]) -> None:
    before = cluster.get("ksvc", "hello", there[1])["metadata"]
    done = cluster.kubectl("apply", "-f", "-", *there, stdin=MANIFEST)
    assert (done.out, done.err) == ("service.serving.knative.dev/hello configured\n", WARNING)
    after = cluster.get("ksvc", "hello", there[1])["metadata"]
    assert (after["generation"], after["resourceVersion"]) == (
        before["generation"],
        before["resourceVersion"],
    )


@pytest.mark.covers("kubectl", "get: table, wide, name, jsonpath, custom columns, labels",
                    recording="03-kubectl/lifecycle: get table")  # fmt: skip
@pytest.mark.parametrize(
    ("arguments", "row"),
    [
        ([], "hello http://URL hello-00001 hello-00001 True"),
        (["-o", "wide"], "hello http://URL hello-00001 hello-00001 True"),
        (["-o", "name"], "service.serving.knative.dev/hello"),
        (["-o", "jsonpath={.status.url}"], "http://URL"),
        (["--show-labels"], "hello http://URL hello-00001 hello-00001 True <none>"),
        (["-o", "custom-columns=N:.metadata.name"], "hello"),
    ],
    ids=["table", "wide", "name", "jsonpath", "labels", "columns"],
)
def test_get(cluster: Cluster, there: list[str], arguments: list[str], row: str) -> None:
    done = cluster.kubectl("get", "ksvc", "hello", *there, *arguments)
    url = cluster.get("ksvc", "hello", there[1])["status"]["url"]
    last = " ".join(done.out.splitlines()[-1].split())
    assert last.replace(url, "http://URL") == row


@pytest.mark.covers("kubectl", "get of the kinds behind a service",
                    recording="03-kubectl/lifecycle: get internals wide")  # fmt: skip
@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("configuration", "NAME LATESTCREATED LATESTREADY READY REASON"),
        ("revision", "NAME CONFIG NAME GENERATION READY REASON ACTUAL REPLICAS DESIRED REPLICAS"),
        ("route", "NAME URL READY REASON"),
        ("podautoscaler", "NAME DESIREDSCALE ACTUALSCALE READY REASON"),
        ("sks", "NAME MODE ACTIVATORS SERVICENAME PRIVATESERVICENAME READY REASON"),
        ("kingress", "NAME READY REASON"),
        ("image", "NAME IMAGE"),
        ("deployment", "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR"),
        ("replicaset", "NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR"),
        ("pod", "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"),
        ("svc", "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR"),
        ("endpoints", "NAME ENDPOINTS AGE"),
        ("endpointslice", "NAME ADDRESSTYPE PORTS ENDPOINTS AGE"),
    ],
)
def test_tables(cluster: Cluster, there: list[str], kind: str, header: str) -> None:
    done = cluster.kubectl("get", kind, "-o", "wide", *there)
    assert re.split(r"\s{2,}|\s(?=[A-Z])", done.out.splitlines()[0].strip()) == re.split(
        r"\s(?=[A-Z])", header
    )
    assert "hello" in done.out


@pytest.mark.covers("kubectl", "describe and events", recording="03-kubectl/lifecycle: describe")
def test_describe(cluster: Cluster, there: list[str]) -> None:
    text = cluster.kubectl("describe", "ksvc", "hello", *there).out
    assert re.search(
        r"Normal +Created +\S+ +service-controller +Created Configuration \"hello\"", text
    )
    assert "    Readiness Probe:\n          Success Threshold:  1\n" in text.replace(
        "        Readiness", "    Readiness"
    )
    events = cluster.kubectl("events", "--for", "ksvc/hello", *there).out.splitlines()
    assert events[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert any('Service/hello   Created Route "hello"' in line for line in events)


@pytest.mark.covers("kubectl", "get --watch --output-watch-events")
def test_watch(cluster: Cluster, there: list[str]) -> None:
    done = cluster.kubectl(
        "get", "ksvc", "hello", *there, "-o", "json", "--watch", "--output-watch-events",
        "--request-timeout=2s",
    )  # fmt: skip
    first, _ = json.JSONDecoder().raw_decode(done.out)
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "hello")


@pytest.mark.covers(
    "kubectl", "wait: jsonpath, timeout, delete", recording="03-kubectl/delete-and-misc"
)
def test_wait(cluster: Cluster, there: list[str]) -> None:
    path = "--for=jsonpath={.status.latestReadyRevisionName}=hello-00001"
    assert cluster.kubectl("wait", path, "ksvc/hello", *there).code == 0
    late = cluster.kubectl("wait", "--for=condition=Nope", "ksvc/hello", "--timeout=1s", *there)
    assert (late.code, late.err) == (
        1,
        "error: timed out waiting for the condition on services/hello\n",
    )
    gone = cluster.kubectl("delete", "ksvc", "hello", *there)
    assert gone.out == f'service.serving.knative.dev "hello" deleted from {there[1]} namespace\n'
    assert cluster.kubectl("wait", "--for=delete", "ksvc/hello", *there).code == 0


@pytest.mark.covers("kubectl", "create, with protobuf bodies, of built-in kinds")
@pytest.mark.parametrize(
    ("arguments", "created"),
    [
        (("configmap", "a", "--from-literal=x=y"), "configmap/a"),
        (("secret", "generic", "a", "--from-literal=x=y"), "secret/a"),
        (("serviceaccount", "a"), "serviceaccount/a"),
        (("deployment", "a", "--image=dev.local/hello:v1", "--replicas=0"), "deployment.apps/a"),
        (("job", "a", "--image=busybox", "--", "true"), "job.batch/a"),
        (("service", "clusterip", "a", "--tcp=80:8080"), "service/a"),
        (("role", "a", "--verb=get", "--resource=pods"), "role.rbac.authorization.k8s.io/a"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_create(cluster: Cluster, namespace: str, arguments: tuple[str, ...], created: str) -> None:
    kind, *rest = arguments
    done = cluster.kubectl("create", kind, "-n", namespace, *rest)
    assert (done.code, done.out) == (0, f"{created} created\n")


@pytest.mark.covers("kubectl", "auth can-i", recording="01-discovery/kubectl: auth can-i")
def test_can_i(cluster: Cluster) -> None:
    assert cluster.kubectl("auth", "can-i", "create", "ksvc").out == "yes\n"


@pytest.mark.covers("kubectl", "api-resources of Knative",
                    recording="01-discovery/kubectl: api-resources serving")  # fmt: skip
def test_api_resources(cluster: Cluster) -> None:
    text = cluster.kubectl("api-resources", "--api-group=serving.knative.dev", "-o", "wide").out
    row = next(line for line in text.splitlines() if line.startswith("services"))
    assert row.split() == [
        "services", "kservice,ksvc", "serving.knative.dev/v1", "true", "Service",
        "delete,deletecollection,get,list,patch,create,update,watch", "all,knative,serving",
    ]  # fmt: skip


@pytest.mark.covers(
    "kubectl", "unknown kinds and versions", recording="04-failures/rejected: unknown kind"
)
@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("/v1", "/v2", 'no matches for kind "Service" in version "serving.knative.dev/v2"'),
        ("kind: Service", "kind: Servise",
         'no matches for kind "Servise" in version "serving.knative.dev/v1"'),
    ],
)  # fmt: skip
def test_unknown_kinds(cluster: Cluster, old: str, new: str, missing: str) -> None:
    done = cluster.kubectl("apply", "-f", "-", stdin=MANIFEST.replace(old, new))
    assert done.code == 1
    assert done.err == (
        'error: resource mapping not found for name: "hello" namespace: "" from "STDIN": '
        f"{missing}\nensure CRDs are installed first\n"
    )


@pytest.mark.covers("kubectl", "server-side apply: conflict, force, again",
                    recording="04-failures/ssa-and-updates")  # fmt: skip
def test_server_side_apply(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("apply", "-f", "-", "-n", namespace, stdin=MANIFEST)
    apply = ["apply", "--server-side", "-f", "-", "-n", namespace]
    refused = cluster.kubectl(*apply, stdin=MANIFEST)
    assert refused.code == 1
    assert refused.err.startswith(
        'error: Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using '
        "serving.knative.dev/v1: .spec.template.spec.containers\n"
    )
    for arguments in ([*apply, "--force-conflicts"], apply):
        done = cluster.kubectl(*arguments, stdin=MANIFEST)
        assert (done.code, done.out) == (
            0,
            "service.serving.knative.dev/hello serverside-applied\n",
        )
    other = cluster.kubectl(*apply, "--field-manager=other", stdin=CHANGED)
    assert 'conflict with "kubectl": .spec.template.spec.containers' in other.err


@pytest.mark.covers("kubectl", "explain marks the fields that must be there")
@pytest.mark.parametrize(
    ("path", "marked", "free"),
    [
        ("pod.spec.containers", "name", "image"),
        ("deployment.spec", "selector", "replicas"),
        ("service.spec.ports", "port", "targetPort"),
    ],
)
def test_explained_fields(cluster: Cluster, path: str, marked: str, free: str) -> None:
    shown = cluster.kubectl("explain", path).out
    assert re.search(rf"^  {marked}\t<\S+> -required-$", shown, re.MULTILINE), shown
    assert re.search(rf"^  {free}\t<\S+>$", shown, re.MULTILINE), shown
