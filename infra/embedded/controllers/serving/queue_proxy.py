"""The queue-proxy container that Knative puts beside the user's.  Pure functions."""

import json
from typing import Any

from infra.embedded.controllers import meta
from infra.embedded.controllers.serving import names
from infra.embedded.store import Obj

HTTP_PORT, HTTP2_PORT, TLS_PORT, ADMIN_PORT = 8012, 8013, 8112, 8022
AUTOMETRIC_PORT, USERMETRIC_PORT = 9090, 9091
_DEFAULT_USER_PORT = 8080
_TIMES = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_REQUEST_LOG = (
    '{"httpRequest": {"requestMethod": "{{.Request.Method}}",'
    ' "requestUrl": "{{js .Request.RequestURI}}",'
    ' "requestSize": "{{.Request.ContentLength}}", "status": {{.Response.Code}},'
    ' "responseSize": "{{.Response.Size}}", "userAgent": "{{js .Request.UserAgent}}",'
    ' "remoteIp": "{{js .Request.RemoteAddr}}", "serverIp": "{{.Revision.PodIP}}",'
    ' "referer": "{{js .Request.Referer}}", "latency": "{{.Response.Latency}}s",'
    ' "protocol": "{{.Request.Proto}}"},'
    ' "traceId": "{{index .Request.Header "X-B3-Traceid"}}"}'
)


def queue_container(revision: Obj, serving: Obj, image: str) -> Obj:
    """The sidecar of a revision whose requests go to the container `serving`."""
    return {
        "name": "queue-proxy",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": _environment(revision, serving),
        "ports": _ports(serving),
        "readinessProbe": _readiness(serving.get("readinessProbe") or {}, serving_port(serving)),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def serving_port(serving: Obj) -> int:
    """Where queue-proxy takes requests: HTTP/2 in clear text has a port of its own."""
    ports = serving.get("ports") or [{}]
    return HTTP2_PORT if ports[0].get("name") == "h2c" else HTTP_PORT


def _ports(serving: Obj) -> list[Obj]:
    named = {
        "http-queueadm": ADMIN_PORT,
        "http-autometric": AUTOMETRIC_PORT,
        "http-usermetric": USERMETRIC_PORT,
        "queue-port": serving_port(serving),
        "https-port": TLS_PORT,
    }
    return [{"name": n, "containerPort": p, "protocol": "TCP"} for n, p in named.items()]


def user_probe(serving: Obj) -> str:
    """The user's readiness probe as queue-proxy is told: JSON, against the loopback address."""
    ports = serving.get("ports") or [{}]
    port = ports[0].get("containerPort") or _DEFAULT_USER_PORT
    probe = serving.get("readinessProbe") or {"successThreshold": 1}
    times = {field: probe[field] for field in _TIMES if probe.get(field)}
    return json.dumps({**_handler(probe, port), **times}, separators=(",", ":"))


def _handler(probe: Obj, port: int) -> dict[str, Any]:
    if "httpGet" in probe:
        get = probe["httpGet"]
        headers = {"httpHeaders": get["httpHeaders"]} if get.get("httpHeaders") else {}
        return {
            "httpGet": {
                "path": get.get("path", "/"),
                "port": get.get("port") or port,
                "host": "127.0.0.1",
                "scheme": get.get("scheme", "HTTP"),
                **headers,
            }
        }
    if "grpc" in probe:
        return {"grpc": {**probe["grpc"], "port": probe["grpc"].get("port") or port}}
    # A tcpSocket probe, or an exec probe, which the kubelet runs beside this check of the port.
    own = probe.get("tcpSocket", {}).get("port")
    return {"tcpSocket": {"port": own or port, "host": "127.0.0.1"}}


def _readiness(probe: Obj, port: int) -> Obj:
    """The kubelet's probe of queue-proxy, with the times that the user chose."""
    header = {"name": "K-Network-Probe", "value": "queue"}
    delay = {"initialDelaySeconds": d} if (d := probe.get("initialDelaySeconds")) else {}
    return {
        "httpGet": {"path": "/", "port": port, "scheme": "HTTP", "httpHeaders": [header]},
        **delay,
        "timeoutSeconds": probe.get("timeoutSeconds") or 1,
        "periodSeconds": probe.get("periodSeconds") or 10,
        "successThreshold": probe.get("successThreshold") or 1,
        "failureThreshold": probe.get("failureThreshold") or 3,
    }


def _environment(revision: Obj, serving: Obj) -> list[Obj]:
    spec, own = revision["spec"], meta.labels(revision)
    ports = serving.get("ports") or [{}]
    values: dict[str, str | dict[str, str]] = {
        "SERVING_NAMESPACE": names.namespace(revision),
        "SERVING_SERVICE": own.get(names.SERVICE, ""),
        "SERVING_CONFIGURATION": own.get(names.CONFIGURATION, ""),
        "SERVING_REVISION": names.name(revision),
        "QUEUE_SERVING_PORT": str(serving_port(serving)),
        "QUEUE_SERVING_TLS_PORT": str(TLS_PORT),
        "CONTAINER_CONCURRENCY": str(spec.get("containerConcurrency", 0)),
        "REVISION_TIMEOUT_SECONDS": str(spec.get("timeoutSeconds", 300)),
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS": str(spec.get("responseStartTimeoutSeconds", 0)),
        "REVISION_IDLE_TIMEOUT_SECONDS": str(spec.get("idleTimeoutSeconds", 0)),
        "SERVING_POD": {"fieldPath": "metadata.name"},
        "SERVING_POD_IP": {"fieldPath": "status.podIP"},
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "",
        "SERVING_REQUEST_LOG_TEMPLATE": _REQUEST_LOG,
        "SERVING_ENABLE_REQUEST_LOG": "false",
        "SERVING_REQUEST_METRICS_BACKEND": "prometheus",
        "SERVING_REQUEST_METRICS_REPORTING_PERIOD_SECONDS": "5",
        "TRACING_CONFIG_BACKEND": "none",
        "TRACING_CONFIG_ZIPKIN_ENDPOINT": "",
        "TRACING_CONFIG_DEBUG": "false",
        "TRACING_CONFIG_SAMPLE_RATE": "0.1",
        "USER_PORT": str(ports[0].get("containerPort") or _DEFAULT_USER_PORT),
        "SYSTEM_NAMESPACE": "knative-serving",
        "METRICS_DOMAIN": "knative.dev/internal/serving",
        "SERVING_READINESS_PROBE": user_probe(serving),
        "ENABLE_PROFILING": "false",
        "SERVING_ENABLE_PROBE_REQUEST_LOG": "false",
        "METRICS_COLLECTOR_ADDRESS": "",
        "HOST_IP": {"fieldPath": "status.hostIP"},
        "ENABLE_HTTP2_AUTO_DETECTION": "false",
        "ENABLE_HTTP_FULL_DUPLEX": "false",
        "ROOT_CA": "",
        "ENABLE_MULTI_CONTAINER_PROBES": "false",
    }
    return [_variable(name, value) for name, value in values.items()]


def _variable(name: str, value: str | dict[str, str]) -> Obj:
    if isinstance(value, dict):
        return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", **value}}}
    return {"name": name, **({"value": value} if value else {})}
