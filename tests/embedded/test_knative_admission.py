"""Knative's webhooks over the API: what they refuse, in which words, and what they warn about.

The expected messages are those of a real cluster (04-failures/rejected, raw-http,
ssa-and-updates).
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.cluster import Cluster

WEBHOOK = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
MUTATION = 'admission webhook "webhook.serving.knative.dev" denied the request: mutation failed: '
DNS1035 = (
    "not a DNS 1035 label: [a DNS-1035 label must consist of lower case alphanumeric characters or "
    "'-', start with an alphabetic character, and end with an alphanumeric character (e.g. "
    "'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')]"
)
WARNING = (
    '299 - "Kubernetes default value is insecure, Knative may default this to secure in a future '
    "release: spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation, "
    "spec.template.spec.containers[0].securityContext.capabilities, "
    "spec.template.spec.containers[0].securityContext.runAsNonRoot, "
    'spec.template.spec.containers[0].securityContext.seccompProfile"'
)
T, A = "spec.template.spec", "spec.template.metadata.annotations.autoscaling.knative.dev"


def service(
    *, container: Any = None, pod: Any = None, template: Any = None, spec: Any = None, **meta: Any
) -> dict[str, Any]:
    """A Service `bad1` with parts replaced; None in a part removes the field."""
    base = {"image": "dev.local/hello:v1", "env": [{"name": "TARGET", "value": "World"}]}
    made = {k: v for k, v in {**base, **(container or {})}.items() if v is not None}
    inner = {"spec": {"containers": [made], **(pod or {})}, **(template or {})}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "bad1", **meta},
        "spec": {"template": inner, **(spec or {})},
    }


def annotated(**annotations: str) -> dict[str, Any]:
    keys = {f"autoscaling.knative.dev/{k.replace('_', '-')}": v for k, v in annotations.items()}
    return service(template={"metadata": {"annotations": keys}})


def traffic(*targets: dict[str, Any]) -> dict[str, Any]:
    return service(spec={"traffic": list(targets)})


LATEST = {"latestRevision": True}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no image": (service(container={"image": None}), f"missing field(s): {T}.containers[0].image"),
    "empty containers": (service(pod={"containers": []}), f"missing field(s): {T}.containers"),
    "two ports in a container": (
        service(container={"ports": [{"containerPort": 8080}, {"containerPort": 8081}]}),
        f"more than one container port is set: {T}.containers[*].ports\n"
        "Only a single port is allowed across all containers"),
    "bad port name": (
        service(container={"ports": [{"containerPort": 8080, "name": "grpc"}]}),
        f"Port name grpc is not allowed: {T}.containers[0].ports\n"
        "Name must be empty, or one of: 'h2c', 'http1'"),
    "reserved port 8012": (
        service(container={"ports": [{"containerPort": 8012}]}),
        f"invalid value: 8012 is a reserved port: {T}.containers[0].ports.containerPort\n"
        "8012 is a reserved port, please use a different value"),
    "negative containerConcurrency": (
        service(pod={"containerConcurrency": -1}),
        f"expected 0 <= -1 <= 1000: {T}.containerConcurrency"),
    "timeoutSeconds 0 and negative": (
        service(pod={"timeoutSeconds": -5}), f"expected 0 <= -5 <= 600: {T}.timeoutSeconds"),
    "traffic sum 110": (
        traffic(LATEST | {"percent": 60}, {"revisionName": "bad1-00001", "percent": 50}),
        "Traffic targets sum to 110, want 100: spec.traffic"),
    "traffic percent 101": (
        traffic(LATEST | {"percent": 101}),
        "Traffic targets sum to 101, want 100: spec.traffic\n"
        "expected 0 <= 101 <= 100: spec.traffic[0].percent"),
    "traffic duplicate tag": (
        traffic(LATEST | {"percent": 50, "tag": "a"},
                {"revisionName": "bad1-00001", "percent": 50, "tag": "a"}),
        'Multiple definitions for "a": spec.traffic[0].tag, spec.traffic[1].tag'),
    "traffic tag uppercase": (
        traffic(LATEST | {"percent": 100, "tag": "Blue"}),
        f"invalid value: {DNS1035}: spec.traffic.tag[0]"),
    "traffic latestRevision false without revisionName": (
        traffic({"latestRevision": False, "percent": 100}),
        'may not set revisionName "" when latestRevision is false: spec.traffic[0].latestRevision'),
    "traffic configurationName in service": (
        traffic({"configurationName": "bad1", "percent": 100}),
        "must not set the field(s): spec.traffic[0].configurationName"),
    "revision name not prefixed": (
        service(template={"metadata": {"name": "other-v1"}}),
        'invalid value: "other-v1" must have prefix "bad1-": spec.template.metadata.name'),
    "revision name equals service-": (
        service(template={"metadata": {"name": "bad1-"}}),
        f"invalid value: {DNS1035}: spec.template.metadata.name"),
    "annotation min-scale=-1": (
        annotated(min_scale="-1"), f"expected 0 <= -1 <= 2147483647: {A}/min-scale"),
    "annotation min-scale=abc": (annotated(min_scale="abc"), f"invalid value: abc: {A}/min-scale"),
    "annotation min-scale=5": (
        annotated(min_scale="5", max_scale="2"),
        f"max-scale=2 is less than min-scale=5: {A}/max-scale, {A}/min-scale"),
    "annotation target=0": (annotated(target="0"), f"target 0 should be at least 0.01: {A}/target"),
    "annotation metric=nope": (annotated(metric="nope"), f"invalid value: nope: {A}/metric"),
    "annotation window=1s": (annotated(window="1s"), f"expected 6s <= 1s <= 1h0m0s: {A}/window"),
    "annotation window=2h": (annotated(window="2h"), f"expected 6s <= 2h <= 1h0m0s: {A}/window"),
    "annotation target-utilization-percentage=0": (
        annotated(target_utilization_percentage="0"),
        f"expected 1 <= 0 <= 100: {A}/target-utilization-percentage"),
    "annotation initial-scale=0": (
        annotated(initial_scale="0"),
        f"invalid value: 0: {A}/initial-scale=0 not allowed by cluster"),
    "annotation panic-window-percentage=0.5": (
        annotated(panic_window_percentage="0.5"),
        f"expected 1 <= 0.5 <= 100: {A}/panic-window-percentage"),
    "annotation scale-down-delay=-1s": (
        annotated(scale_down_delay="-1s"), f"expected 0s <= -1s <= 1h0m0s: {A}/scale-down-delay"),
    "autoscaling annotation on the ksvc instead of template": (
        service(annotations={"autoscaling.knative.dev/min-scale": "1"}),
        'invalid key name "autoscaling.knative.dev/min-scale": metadata.annotations\n'
        'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'),
    "progress-deadline negative": (
        service(template={"metadata": {"annotations": {
            "serving.knative.dev/progress-deadline": "-1s"}}}),
        "progress-deadline=-1s must be positive: spec.template.metadata.annotations."
        "serving.knative.dev/progress-deadline"),
    "name with dot": (service(name="a.b"), f"{DNS1035}: metadata.name"),
    "nodeSelector (feature disabled)": (
        service(pod={"nodeSelector": {"a": "b"}}),
        f"must not set the field(s): {T}.nodeSelector"),
    "hostNetwork (feature disabled)": (
        service(pod={"hostNetwork": True}), f"must not set the field(s): {T}.hostNetwork"),
    "container name queue-proxy": (
        service(container={"name": "queue-proxy"}),
        f'"queue-proxy" is a reserved container name: {T}.containers[0].name'),
    "reserved env PORT": (
        service(container={"env": [{"name": "PORT", "value": "1"}]}),
        f'"PORT" is a reserved environment variable: {T}.containers[0].env[0].name'),
    "env without name": (
        service(container={"env": [{"value": "1"}]}),
        f"missing field(s): {T}.containers[0].env[0].name"),
    "image with spaces": (
        service(container={"image": "not an image"}),
        f"Failed to parse image reference: {T}.containers[0].image\n"
        'image: "not an image", error: could not parse reference: not an image'),
    "volume hostPath (disabled)": (
        service(container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                pod={"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        "HostPath volume support is disabled, but found HostPath volume v: \n"
        f"must not set the field(s): {T}.volumes[0].hostPath"),
    "volumeMount without volume": (
        service(container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]}),
        f"volumeMount has no matching volume: {T}.containers[0].volumeMounts[0].name"),
    "several errors at once": (
        service(container={"image": None},
                pod={"containerConcurrency": -1, "timeoutSeconds": -5},
                spec={"traffic": [LATEST | {"percent": 90}]}),
        "Traffic targets sum to 90, want 100: spec.traffic\n"
        f"expected 0 <= -1 <= 1000: {T}.containerConcurrency\n"
        f"expected 0 <= -5 <= 600: {T}.timeoutSeconds\n"
        f"missing field(s): {T}.containers[0].image"),
}  # fmt: skip


def create(
    http: httpx.Client, namespace: str, body: dict[str, Any], **query: str
) -> httpx.Response:
    path = f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services"
    return http.post(path, json=body, params={"fieldValidation": "Strict", **query})


@pytest.mark.covers("Knative admission", "validation, message by message",
                    recording="04-failures/rejected")  # fmt: skip
@pytest.mark.parametrize("name", REFUSED)
def test_refused(http: httpx.Client, name: str) -> None:
    body, message = REFUSED[name]
    answer = create(http, "default", body, dryRun="All")
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    assert answer.json()["message"] == f"{WEBHOOK}validation failed: {message}"


@pytest.mark.covers("Knative admission", "values of the wrong type in Go's words",
                    recording="04-failures/rejected: env value int")  # fmt: skip
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (service(pod={"containerConcurrency": "ten"}),
         "json: cannot unmarshal string into Go struct field "
         "Service.spec.template.spec.containerConcurrency of type int64"),
        (service(container={"env": [{"name": "TARGET", "value": 5}]}),
         "json: cannot unmarshal number into Go struct field "
         "Service.spec.template.spec.containers.0.env.0.value of type string"),
        (service() | {"spec": {"template": []}},
         "json: cannot unmarshal array into Go struct field Service.spec.template of type "
         "v1.RevisionTemplateSpec"),
        (service(container={"resources": {"limits": {"cpu": "1x"}}}),
         "quantities must match the regular expression "
         "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ],
    ids=["number", "text", "object", "quantity"],
)  # fmt: skip
def test_wrong_types(http: httpx.Client, body: dict[str, Any], message: str) -> None:
    answer = create(http, "default", body, dryRun="All")
    assert answer.json()["message"] == f"{MUTATION}cannot decode incoming new object: {message}"


@pytest.mark.covers("Knative admission", "unknown fields when strict, warned about otherwise",
                    recording="04-failures/rejected: unknown field under spec")  # fmt: skip
def test_unknown_fields(http: httpx.Client) -> None:
    body = service(spec={"bogus": 1})
    strict = create(http, "default", body, dryRun="All")
    assert strict.json()["message"] == (
        'Service in version "v1" cannot be handled as a Service: strict decoding error: '
        'unknown field "spec.bogus"'
    )
    warned = create(http, "default", body, dryRun="All", fieldValidation="Warn")
    assert warned.status_code == 201
    assert warned.headers["warning"] == f'299 - "unknown field \\"spec.bogus\\"", {WARNING}'


@pytest.mark.covers("Knative admission", "a Service without a spec",
                    recording="04-failures/rejected: no spec")  # fmt: skip
def test_no_spec(http: httpx.Client) -> None:
    body = {k: v for k, v in service().items() if k != "spec"}
    answer = create(http, "default", body, dryRun="All")
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'Service.serving.knative.dev "bad1" is invalid: spec.template.spec.containers: Invalid '
        'value: "null": spec.template.spec.containers in body must be of type array: "null"'
    )


@pytest.mark.covers("Knative admission", "what is accepted although it looks wrong",
                    recording="FACTS: webhook")  # fmt: skip
@pytest.mark.parametrize(
    "body",
    [
        service(pod={"timeoutSeconds": 0}),
        service(pod={"timeoutSeconds": 10, "responseStartTimeoutSeconds": 20}),
        service(container={"name": "A_b"}),
        service(container={"imagePullPolicy": "Sometimes"}),
        service(container={"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}),
        service(labels={"networking.knative.dev/visibility": "private"}),
        annotated(minscale_typo="1"),
        traffic({"revisionName": "absent", "percent": 100}),
        service(name="a" * 63),
    ],
)
def test_accepted(http: httpx.Client, body: dict[str, Any]) -> None:
    answer = create(http, "default", body, dryRun="All")
    assert answer.status_code == 201, answer.text
    assert answer.headers["warning"] == WARNING


@pytest.mark.covers("Knative admission", "defaults of a minimal Service",
                    recording="03-kubectl/lifecycle: apply dry-run=server -o yaml")  # fmt: skip
def test_defaults(http: httpx.Client) -> None:
    made = create(http, "default", service(), dryRun="All").json()
    assert made["metadata"]["annotations"] == {
        "serving.knative.dev/creator": "kubernetes-admin",
        "serving.knative.dev/lastModifier": "kubernetes-admin",
    }
    container = {
        "env": [{"name": "TARGET", "value": "World"}],
        "image": "dev.local/hello:v1",
        "name": "user-container",
        "readinessProbe": {"successThreshold": 1, "tcpSocket": {"port": 0}},
        "resources": {},
    }
    pod = {
        "containerConcurrency": 0,
        "containers": [container],
        "enableServiceLinks": False,
        "timeoutSeconds": 300,
    }
    assert made["spec"] == {
        "template": {"metadata": {"creationTimestamp": None}, "spec": pod},
        "traffic": [{"latestRevision": True, "percent": 100}],
    }


@pytest.fixture
def ksvc(cluster: Cluster, http: httpx.Client, namespace: str) -> str:
    """The path of an existing Service `bad1`."""
    create(http, namespace, service()).raise_for_status()
    return f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services/bad1"


MERGE = {"content-type": "application/merge-patch+json"}


@pytest.mark.covers("Knative admission", "creator and lastModifier",
                    recording="04-failures/ssa-and-updates: change creator annotation")  # fmt: skip
@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        ("creator", "mallory", "annotation value is immutable"),
        ("creator", None, "annotation value is immutable"),
        ("lastModifier", "mallory", "invalid value: mallory"),
    ],
)
def test_signatures(
    http: httpx.Client, ksvc: str, annotation: str, value: str | None, problem: str
) -> None:
    patch = {"metadata": {"annotations": {f"serving.knative.dev/{annotation}": value}}}
    answer = http.patch(ksvc, json=patch, headers=MERGE)
    assert answer.json()["message"] == (
        f"{WEBHOOK}validation failed: {problem}: "
        f"metadata.annotations.serving.knative.dev/{annotation}"
    )


@pytest.mark.covers("Knative admission", "a named revision cannot change without a new name",
                    recording="05-gateway/traffic-split-byo-name-reapply-fails")  # fmt: skip
def test_a_named_revision(http: httpx.Client, namespace: str) -> None:
    body = service(template={"metadata": {"name": "bad1-blue"}})
    create(http, namespace, body).raise_for_status()
    path = f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services/bad1"
    again = http.patch(path, json={"spec": body["spec"]}, headers=MERGE)
    assert again.json()["message"] == (
        f"{WEBHOOK}validation failed: Saw the following changes without a name change (-old +new): "
        "spec.template.metadata.name\n"
        "{*v1.RevisionTemplateSpec}.Spec.PodSpec.Containers[0].Name:\n"
        '\t-: "user-container"\n\t+: ""\n'
        "{*v1.RevisionTemplateSpec}.Spec.PodSpec.Containers[0].ReadinessProbe:\n"
        '\t-: "&Probe{ProbeHandler:ProbeHandler{Exec:nil,HTTPGet:nil,TCPSocket:&TCPSocketAction{'
        "Port:{0 0 },Host:,},GRPC:nil,},InitialDelaySeconds:0,TimeoutSeconds:0,PeriodSeconds:0,"
        'SuccessThreshold:1,FailureThreshold:0,TerminationGracePeriodSeconds:nil,}"\n\t+: "nil"\n'
    )


@pytest.mark.covers("Knative admission", "config-defaults take effect at once")
def test_config_defaults(own: Cluster, http: httpx.Client) -> None:
    path = "/api/v1/namespaces/knative-serving/configmaps/config-defaults"
    changed = {"revision-timeout-seconds": "77", "revision-cpu-request": "50m"}
    http.patch(path, json={"data": changed}, headers=MERGE).raise_for_status()
    try:
        made = create(http, "default", service(), dryRun="All").json()["spec"]["template"]["spec"]
    finally:
        http.patch(path, json={"data": dict.fromkeys(changed)}, headers=MERGE)
    assert made["timeoutSeconds"] == 77
    assert made["containers"][0]["resources"] == {"requests": {"cpu": "50m"}}
