"""Kinds: what the cluster serves, as constants, and the registry that finds them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of a custom resource; `path` is a JSONPath as in a CRD."""

    name: str
    path: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one version.  Kinds of a group and plural share their storage."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False  # has the subresource status
    generation: bool = True  # metadata.generation counts changes of the spec
    subresources: tuple[str, ...] = ()  # besides status
    verbs: tuple[str, ...] = ALL_VERBS
    columns: tuple[Column, ...] = field(default=(), hash=False, compare=False)
    custom: bool = False  # defined by a CRD
    shape: object = field(default=None, hash=False, compare=False)  # of a CRD's schema

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The name in messages and the storage key: `services.serving.knative.dev`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __str__(self) -> str:
        return self.resource


def _kind(
    api: str,
    kind: str,
    plural: str,
    short: str = "",
    flags: str = "",
    *,
    columns: str = "",
    subresources: Sequence[str] = (),
    verbs: Sequence[str] = ALL_VERBS,
) -> Kind:
    """Flags: `cluster` scoped, `plain` has no generation, has `status`; others are categories."""
    group, version = api.split("/")
    words = flags.split()
    return Kind(
        group,
        version,
        kind,
        plural,
        namespaced="cluster" not in words,
        short_names=tuple(short.split(",")) if short else (),
        categories=tuple(w for w in words if w not in ("cluster", "plain", "status")),
        status="status" in words,
        generation="plain" not in words,
        subresources=tuple(subresources),
        verbs=tuple(verbs),
        columns=tuple(_column(row) for row in columns.split(";") if row),
        custom=group.endswith(".knative.dev"),
    )


def _column(row: str) -> Column:
    name, path, *kind = row.split("=")
    condition = path.removeprefix("?")
    if condition != path:
        path = f".status.conditions[?(@.type=='Ready')].{condition}"
    return Column(
        name,
        path,
        type=kind[0] if kind else "string",
        description=f"Custom resource definition column (in JSONPath format): {path}",
    )


_NO_COLLECTION = [verb for verb in ALL_VERBS if verb != "deletecollection"]
_CORE = "/v1"
CONFIGMAP = _kind(_CORE, "ConfigMap", "configmaps", "cm", "plain")
ENDPOINTS = _kind(_CORE, "Endpoints", "endpoints", "ep", "plain")
EVENT = _kind(_CORE, "Event", "events", "ev", "plain")
LIMITRANGE = _kind(_CORE, "LimitRange", "limitranges", "limits", "plain")
NAMESPACE = _kind(
    _CORE, "Namespace", "namespaces", "ns", "cluster plain status",
    subresources=["finalize"], verbs=_NO_COLLECTION,
)  # fmt: skip
NODE = _kind(_CORE, "Node", "nodes", "no", "cluster plain status")
PVC = _kind(_CORE, "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "plain status")
PV = _kind(_CORE, "PersistentVolume", "persistentvolumes", "pv", "cluster plain status")
POD = _kind(_CORE, "Pod", "pods", "po", "all status", subresources=["exec", "log"])
RESOURCEQUOTA = _kind(_CORE, "ResourceQuota", "resourcequotas", "quota", "plain status")
SECRET = _kind(_CORE, "Secret", "secrets", "", "plain")
SERVICE = _kind(_CORE, "Service", "services", "svc", "all plain status")
SERVICEACCOUNT = _kind(_CORE, "ServiceAccount", "serviceaccounts", "sa", "plain")

_APPS = "apps/v1"
DAEMONSET = _kind(_APPS, "DaemonSet", "daemonsets", "ds", "all status")
DEPLOYMENT = _kind(_APPS, "Deployment", "deployments", "deploy", "all status")
REPLICASET = _kind(_APPS, "ReplicaSet", "replicasets", "rs", "all status")
STATEFULSET = _kind(_APPS, "StatefulSet", "statefulsets", "sts", "all status")
HPA = _kind(
    "autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "all status"
)
CRONJOB = _kind("batch/v1", "CronJob", "cronjobs", "cj", "all status")
JOB = _kind("batch/v1", "Job", "jobs", "", "all status")
LEASE = _kind("coordination.k8s.io/v1", "Lease", "leases", "", "plain")
ENDPOINTSLICE = _kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
PDB = _kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", "status")
PRIORITYCLASS = _kind("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "pc", "cluster")
STORAGECLASS = _kind("storage.k8s.io/v1", "StorageClass", "storageclasses", "sc", "cluster plain")

_NET = "networking.k8s.io/v1"
INGRESS = _kind(_NET, "Ingress", "ingresses", "ing", "status")
INGRESSCLASS = _kind(_NET, "IngressClass", "ingressclasses", "", "cluster")
NETWORKPOLICY = _kind(_NET, "NetworkPolicy", "networkpolicies", "netpol")

_RBAC = "rbac.authorization.k8s.io/v1"
CLUSTERROLE = _kind(_RBAC, "ClusterRole", "clusterroles", "", "cluster plain")
CLUSTERROLEBINDING = _kind(_RBAC, "ClusterRoleBinding", "clusterrolebindings", "", "cluster plain")
ROLE = _kind(_RBAC, "Role", "roles", "", "plain")
ROLEBINDING = _kind(_RBAC, "RoleBinding", "rolebindings", "", "plain")

_EXTENSION = "cluster api-extensions"
_HOOKS = "admissionregistration.k8s.io/v1"
MUTATINGWEBHOOK = _kind(
    _HOOKS, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "", _EXTENSION
)
VALIDATINGWEBHOOK = _kind(
    _HOOKS, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "", _EXTENSION
)
CRD = _kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions",
    "crd,crds", f"{_EXTENSION} status",
)  # fmt: skip
SELFSUBJECTACCESSREVIEW = _kind(
    "authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "",
    "cluster plain", verbs=["create"],
)  # fmt: skip
SELFSUBJECTREVIEW = _kind(
    "authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", "",
    "cluster plain", verbs=["create"],
)  # fmt: skip

_READY = "Ready=?status;Reason=?reason"
_URL = f"URL=.status.url;{_READY}"
_LATEST = (
    f"LatestCreated=.status.latestCreatedRevisionName;"
    f"LatestReady=.status.latestReadyRevisionName;{_READY}"
)
_REVISION = (
    r"Config Name=.metadata.labels['serving\.knative\.dev/configuration'];"
    r"Generation=.metadata.labels['serving\.knative\.dev/configurationGeneration'];"
    f"{_READY};Actual Replicas=.status.actualReplicas=integer;"
    "Desired Replicas=.status.desiredReplicas=integer"
)
_SCALE = (
    f"DesiredScale=.status.desiredScale=integer;ActualScale=.status.actualScale=integer;{_READY}"
)
_SKS = (
    "Mode=.spec.mode;Activators=.spec.numActivators=integer;ServiceName=.status.serviceName;"
    f"PrivateServiceName=.status.privateServiceName;{_READY}"
)

_SERVING = "serving.knative.dev/v1"
_USER = "all knative serving status"
KSERVICE = _kind(
    _SERVING, "Service", "services", "kservice,ksvc", _USER, columns=f"URL=.status.url;{_LATEST}"
)
CONFIGURATION = _kind(
    _SERVING, "Configuration", "configurations", "config,cfg", _USER, columns=_LATEST
)
REVISION = _kind(_SERVING, "Revision", "revisions", "rev", _USER, columns=_REVISION)
ROUTE = _kind(_SERVING, "Route", "routes", "rt", _USER, columns=_URL)
DOMAINMAPPING = _kind(
    "serving.knative.dev/v1beta1", "DomainMapping", "domainmappings", "dm", _USER, columns=_URL
)

_SCALING, _INNER = "autoscaling.internal.knative.dev/v1alpha1", "knative-internal status"
METRIC = _kind(_SCALING, "Metric", "metrics", "", f"{_INNER} autoscaling", columns=_READY)
PODAUTOSCALER = _kind(
    _SCALING, "PodAutoscaler", "podautoscalers", "kpa,pa", f"{_INNER} autoscaling", columns=_SCALE
)
IMAGE = _kind(
    "caching.internal.knative.dev/v1alpha1", "Image", "images", "", f"{_INNER} caching",
    columns="Image=.spec.image",
)  # fmt: skip

_KNET, _INNER = "networking.internal.knative.dev/v1alpha1", f"{_INNER} networking"
CERTIFICATE = _kind(_KNET, "Certificate", "certificates", "kcert", _INNER, columns=_READY)
CLUSTERDOMAINCLAIM = _kind(
    _KNET, "ClusterDomainClaim", "clusterdomainclaims", "cdc", f"cluster {_INNER}"
)
KINGRESS = _kind(_KNET, "Ingress", "ingresses", "kingress,king", _INNER, columns=_READY)
SKS = _kind(_KNET, "ServerlessService", "serverlessservices", "sks", _INNER, columns=_SKS)

BUILT_IN: tuple[Kind, ...] = tuple(k for k in dict(globals()).values() if isinstance(k, Kind))


class Registry:
    """The kinds that are served now; a CRD adds and removes some at run time."""

    def __init__(self, kinds: Iterable[Kind] = BUILT_IN) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self._resources: dict[str, Kind] = {}
        self.generation = 0  # changes whenever the set of kinds does
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        self._kinds[kind.group, kind.version, kind.plural] = kind
        self._resources.setdefault(kind.resource, kind)
        self.generation += 1

    def remove(self, kind: Kind) -> None:
        self._kinds.pop((kind.group, kind.version, kind.plural), None)
        self._resources = {}
        for rest in self:
            self._resources.setdefault(rest.resource, rest)
        self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def by_resource(self, resource: str) -> Kind | None:
        """The first kind stored under this key (see `Kind.resource`)."""
        return self._resources.get(resource)

    def by_kind(self, api_version: str, kind: str) -> Kind | None:
        """The kind that an object with these two fields has."""
        return next((k for k in self if k.kind == kind and k.api_version == api_version), None)

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._kinds.values()))
