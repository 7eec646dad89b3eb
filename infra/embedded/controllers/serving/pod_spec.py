"""The pods of a revision: the user's containers as Knative runs them.  Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.embedded.controllers import meta
from infra.embedded.controllers.serving import names
from infra.embedded.controllers.serving.queue_proxy import queue_container
from infra.embedded.store import Obj

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
DEFAULT_PORT = 8080
USER_PORT = "user-port"
_POD_FIELDS = (
    "volumes",
    "imagePullSecrets",
    "serviceAccountName",
    "automountServiceAccountToken",
    "nodeSelector",
    "tolerations",
    "topologySpreadConstraints",
    "hostAliases",
    "runtimeClassName",
    "priorityClassName",
    "dnsConfig",
)
_KUBELET = {"name": "K-Kubelet-Probe", "value": "queue"}
_DRAIN = {"preStop": {"httpGet": {"path": "/wait-for-drain", "port": 8022, "scheme": "HTTP"}}}


@dataclass(frozen=True, slots=True)
class Settings:
    """What cluster settings add to a revision's Deployment."""

    queue_image: str
    queue_resources: Mapping[str, Mapping[str, str]]
    progress_deadline: int  # seconds
    initial_scale: int


def serving_container(revision: Obj) -> Obj:
    """The container that requests go to: the only one, or the one with a port."""
    containers = revision["spec"]["containers"]
    with_port = (c for c in containers if c.get("ports"))
    found: Obj = containers[0] if len(containers) == 1 else next(with_port, containers[0])
    return found


def user_port(container: Obj) -> int:
    ports = container.get("ports") or [{}]
    return int(ports[0].get("containerPort") or DEFAULT_PORT)


def protocol(revision: Obj) -> str:
    """`h2c` when the serving port is named so, else `http1`."""
    ports = serving_container(revision).get("ports") or [{}]
    return "h2c" if ports[0].get("name") == "h2c" else "http1"


def digests(revision: Obj) -> Mapping[str, str]:
    """Images by container as they were resolved, for those that were."""
    status = revision.get("status", {})
    entries = (*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ()))
    return {e["name"]: e["imageDigest"] for e in entries if e.get("imageDigest")}


def pull_policy(image: str) -> str:
    """Kubernetes' default: Always for `latest`, spelt out or not."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if "@" not in image and tag in ("", "latest") else "IfNotPresent"


def user_container(revision: Obj, container: Obj) -> Obj:
    """One of the user's containers, with what Knative and Kubernetes add."""
    serves = container is serving_container(revision)
    kept = {k: v for k, v in container.items() if k not in ("readinessProbe", "ports", "env")}
    image = digests(revision).get(container["name"], container["image"])
    probe = container.get("readinessProbe") or {}
    by_kubelet = {"readinessProbe": probe} if probe.get("exec") or (probe and not serves) else {}
    port = {"name": USER_PORT, "containerPort": user_port(container), "protocol": "TCP"}
    return {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {},
        "imagePullPolicy": pull_policy(image),
        **kept,
        **(_own_probes(container) if serves else {}),
        **by_kubelet,
        "env": [*container.get("env", ()), *_environment(revision, container, serves=serves)],
        "image": image,
        "lifecycle": _DRAIN,
        **({"ports": [port]} if serves else {}),
    }


def _own_probes(container: Obj) -> Obj:
    """The kubelet's probes of the app: users may leave the port to Knative, which knows it."""
    given = {kind: container.get(kind) for kind in ("livenessProbe", "startupProbe")}
    return {kind: _with_port(probe, user_port(container)) for kind, probe in given.items() if probe}


def _with_port(probe: Obj, port: int) -> Obj:
    for handler in ("httpGet", "tcpSocket", "grpc"):
        if (action := probe.get(handler)) is not None:
            filled = {**action, "port": action.get("port") or port}
            if handler == "httpGet":
                filled["httpHeaders"] = [*(action.get("httpHeaders") or ()), _KUBELET]
            return {**probe, handler: filled}
    return probe


def _environment(revision: Obj, container: Obj, *, serves: bool) -> list[Obj]:
    own = meta.labels(revision)
    port = {"PORT": str(user_port(container))} if serves else {}
    knative = {
        **port,
        "K_REVISION": names.name(revision),
        "K_CONFIGURATION": own.get(names.CONFIGURATION, ""),
        "K_SERVICE": own.get(names.SERVICE, ""),
    }
    return [{"name": k, **({"value": v} if v else {})} for k, v in knative.items()]


def init_container(revision: Obj, container: Obj) -> Obj:
    image = digests(revision).get(container["name"], container["image"])
    return {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "resources": {},
        "imagePullPolicy": pull_policy(image),
        **container,
        "image": image,
    }


def pod_spec(revision: Obj, settings: Settings) -> Obj:
    """The spec of the revision's pods."""
    spec = revision["spec"]
    inits = [init_container(revision, c) for c in spec.get("initContainers", ())]
    return {
        **{field: spec[field] for field in _POD_FIELDS if field in spec},
        **({"initContainers": inits} if inits else {}),
        "affinity": _spread(names.name(revision)),
        "containers": [
            *(user_container(revision, container) for container in spec["containers"]),
            _queue(revision, settings),
        ],
        "dnsPolicy": spec.get("dnsPolicy", "ClusterFirst"),
        "enableServiceLinks": spec.get("enableServiceLinks", False),
        "restartPolicy": "Always",
        "schedulerName": spec.get("schedulerName", "default-scheduler"),
        "securityContext": spec.get("securityContext") or {},
        "terminationGracePeriodSeconds": spec.get("timeoutSeconds", 300),
    }


def _queue(revision: Obj, settings: Settings) -> Obj:
    serving = serving_container(revision)
    sidecar = queue_container(revision, serving, settings.queue_image)
    resources = {group: dict(found) for group, found in settings.queue_resources.items()}
    return {**sidecar, "resources": resources}


def _spread(revision: str) -> Obj:
    """Pods of one revision prefer different nodes."""
    term = {
        "labelSelector": {"matchLabels": {names.REVISION: revision}},
        "topologyKey": "kubernetes.io/hostname",
    }
    preferred = [{"podAffinityTerm": term, "weight": 100}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def child_labels(revision: Obj) -> dict[str, str]:
    """Labels of everything that a revision owns."""
    kept = meta.without(meta.labels(revision), (names.ROUTING_STATE,))
    return {
        **kept,
        "app": names.name(revision),
        names.REVISION: names.name(revision),
        names.REVISION_UID: revision["metadata"]["uid"],
    }


def child_annotations(revision: Obj) -> dict[str, str]:
    """Annotations of everything that a revision owns."""
    dropped = (meta.LAST_APPLIED, names.ROUTES, names.ROUTING_STATE_MODIFIED)
    return meta.without(meta.annotations(revision), dropped)


def deployment_of(revision: Obj, settings: Settings) -> Obj:
    """The Deployment that runs a revision."""
    labels, notes = child_labels(revision), child_annotations(revision)
    chosen = {DEFAULT_CONTAINER: serving_container(revision)["name"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": names.deployment(revision),
            "namespace": names.namespace(revision),
            "labels": labels,
            "annotations": notes,
            "ownerReferences": [meta.controller_ref(revision)],
        },
        "spec": {
            "replicas": settings.initial_scale,
            "progressDeadlineSeconds": settings.progress_deadline,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": {names.REVISION_UID: revision["metadata"]["uid"]}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0},
            },
            "template": {
                "metadata": {
                    "creationTimestamp": None,
                    "labels": labels,
                    "annotations": {**chosen, **notes},
                },
                "spec": pod_spec(revision, settings),
            },
        },
        "status": {},
    }
