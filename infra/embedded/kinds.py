"""Kinds: what the cluster serves, as constants, and the registry that finds them."""

from collections.abc import Iterable, Iterator

from infra.embedded.kind import ALL_VERBS as ALL_VERBS
from infra.embedded.kind import Column as Column
from infra.embedded.kind import Kind as Kind
from infra.embedded.kind import define

_NO_COLLECTION = [verb for verb in ALL_VERBS if verb != "deletecollection"]
_ASKED = ["create"]  # answered, never stored
_CORE = "/v1"
BINDING = define(_CORE, "Binding", "bindings", "", "plain", verbs=_ASKED)
COMPONENTSTATUS = define(
    _CORE, "ComponentStatus", "componentstatuses", "cs", "cluster plain",
    verbs=["get", "list"],
)  # fmt: skip
CONFIGMAP = define(_CORE, "ConfigMap", "configmaps", "cm", "plain")
ENDPOINTS = define(_CORE, "Endpoints", "endpoints", "ep", "plain")
EVENT = define(_CORE, "Event", "events", "ev", "plain")
EVENT_V1 = define("events.k8s.io/v1", "Event", "events", "ev", "plain", stored_as="events")
LIMITRANGE = define(_CORE, "LimitRange", "limitranges", "limits", "plain")
NAMESPACE = define(
    _CORE, "Namespace", "namespaces", "ns", "cluster plain status",
    subresources=["finalize"], verbs=_NO_COLLECTION,
)  # fmt: skip
NODE = define(_CORE, "Node", "nodes", "no", "cluster plain status")
PVC = define(_CORE, "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "plain status")
PV = define(_CORE, "PersistentVolume", "persistentvolumes", "pv", "cluster plain status")
POD = define(_CORE, "Pod", "pods", "po", "all status", subresources=["exec", "log"])
PODTEMPLATE = define(_CORE, "PodTemplate", "podtemplates")
REPLICATIONCONTROLLER = define(
    _CORE, "ReplicationController", "replicationcontrollers", "rc", "all status"
)
RESOURCEQUOTA = define(_CORE, "ResourceQuota", "resourcequotas", "quota", "plain status")
SECRET = define(_CORE, "Secret", "secrets", "", "plain")
SERVICE = define(_CORE, "Service", "services", "svc", "all plain status")
SERVICEACCOUNT = define(_CORE, "ServiceAccount", "serviceaccounts", "sa", "plain")

_APPS = "apps/v1"
CONTROLLERREVISION = define(_APPS, "ControllerRevision", "controllerrevisions", "", "plain")
DAEMONSET = define(_APPS, "DaemonSet", "daemonsets", "ds", "all status")
DEPLOYMENT = define(
    _APPS, "Deployment", "deployments", "deploy", "all status", subresources=["scale"]
)
REPLICASET = define(_APPS, "ReplicaSet", "replicasets", "rs", "all status", subresources=["scale"])
STATEFULSET = define(_APPS, "StatefulSet", "statefulsets", "sts", "all status")
HPA = define(
    "autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "all status"
)
HPA_V1 = define(
    "autoscaling/v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "all status"
)
CRONJOB = define("batch/v1", "CronJob", "cronjobs", "cj", "all status")
JOB = define("batch/v1", "Job", "jobs", "", "all status")
LEASE = define("coordination.k8s.io/v1", "Lease", "leases", "", "plain")
ENDPOINTSLICE = define("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
PDB = define("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", "status")
PRIORITYCLASS = define("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "pc", "cluster")

_STORAGE = "storage.k8s.io/v1"
CSIDRIVER = define(_STORAGE, "CSIDriver", "csidrivers", "", "cluster plain")
CSINODE = define(_STORAGE, "CSINode", "csinodes", "", "cluster plain")
CSISTORAGECAPACITY = define(_STORAGE, "CSIStorageCapacity", "csistoragecapacities", "", "plain")
STORAGECLASS = define(_STORAGE, "StorageClass", "storageclasses", "sc", "cluster plain")
VOLUMEATTACHMENT = define(
    _STORAGE, "VolumeAttachment", "volumeattachments", "", "cluster plain status"
)

_NET = "networking.k8s.io/v1"
INGRESS = define(_NET, "Ingress", "ingresses", "ing", "status")
INGRESSCLASS = define(_NET, "IngressClass", "ingressclasses", "", "cluster")
IPADDRESS = define(_NET, "IPAddress", "ipaddresses", "ip", "cluster plain")
NETWORKPOLICY = define(_NET, "NetworkPolicy", "networkpolicies", "netpol")
SERVICECIDR = define(_NET, "ServiceCIDR", "servicecidrs", "", "cluster plain status")

_RBAC = "rbac.authorization.k8s.io/v1"
CLUSTERROLE = define(_RBAC, "ClusterRole", "clusterroles", "", "cluster plain")
CLUSTERROLEBINDING = define(_RBAC, "ClusterRoleBinding", "clusterrolebindings", "", "cluster plain")
ROLE = define(_RBAC, "Role", "roles", "", "plain")
ROLEBINDING = define(_RBAC, "RoleBinding", "rolebindings", "", "plain")

_EXTENSION = "cluster api-extensions"
APISERVICE = define(
    "apiregistration.k8s.io/v1", "APIService", "apiservices", "", f"{_EXTENSION} status"
)
_HOOKS = "admissionregistration.k8s.io/v1"
VALIDATINGPOLICY = define(
    _HOOKS, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", "", f"{_EXTENSION} status"
)
VALIDATINGPOLICYBINDING = define(
    _HOOKS, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", "",
    _EXTENSION,
)  # fmt: skip
MUTATINGWEBHOOK = define(
    _HOOKS, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "", _EXTENSION
)
VALIDATINGWEBHOOK = define(
    _HOOKS, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "", _EXTENSION
)
CRD = define(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions",
    "crd,crds", f"{_EXTENSION} status",
)  # fmt: skip
CSR = define(
    "certificates.k8s.io/v1", "CertificateSigningRequest", "certificatesigningrequests", "csr",
    "cluster plain status",
)  # fmt: skip
RUNTIMECLASS = define("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", "", "cluster plain")
_FLOW = "flowcontrol.apiserver.k8s.io/v1"
FLOWSCHEMA = define(_FLOW, "FlowSchema", "flowschemas", "", "cluster status")
PRIORITYLEVEL = define(
    _FLOW, "PriorityLevelConfiguration", "prioritylevelconfigurations", "", "cluster status"
)

_AUTHORIZATION, _REVIEW = "authorization.k8s.io/v1", "cluster plain"
LOCALACCESSREVIEW = define(
    _AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews", "", "plain",
    verbs=_ASKED,
)  # fmt: skip
SELFSUBJECTACCESSREVIEW = define(
    _AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", "", _REVIEW,
    verbs=_ASKED,
)  # fmt: skip
SELFSUBJECTRULESREVIEW = define(
    _AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews", "", _REVIEW, verbs=_ASKED
)
SUBJECTACCESSREVIEW = define(
    _AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews", "", _REVIEW, verbs=_ASKED
)
_AUTHENTICATION = "authentication.k8s.io/v1"
SELFSUBJECTREVIEW = define(
    _AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", "", _REVIEW, verbs=_ASKED
)
TOKENREVIEW = define(_AUTHENTICATION, "TokenReview", "tokenreviews", "", _REVIEW, verbs=_ASKED)

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
KSERVICE = define(
    _SERVING, "Service", "services", "kservice,ksvc", _USER, columns=f"URL=.status.url;{_LATEST}"
)
CONFIGURATION = define(
    _SERVING, "Configuration", "configurations", "config,cfg", _USER, columns=_LATEST
)
REVISION = define(_SERVING, "Revision", "revisions", "rev", _USER, columns=_REVISION)
ROUTE = define(_SERVING, "Route", "routes", "rt", _USER, columns=_URL)
DOMAINMAPPING = define(
    "serving.knative.dev/v1beta1", "DomainMapping", "domainmappings", "dm", _USER, columns=_URL
)

_SCALING, _INNER = "autoscaling.internal.knative.dev/v1alpha1", "knative-internal status"
METRIC = define(_SCALING, "Metric", "metrics", "", f"{_INNER} autoscaling", columns=_READY)
PODAUTOSCALER = define(
    _SCALING, "PodAutoscaler", "podautoscalers", "kpa,pa", f"{_INNER} autoscaling", columns=_SCALE
)
IMAGE = define(
    "caching.internal.knative.dev/v1alpha1", "Image", "images", "", f"{_INNER} caching",
    columns="Image=.spec.image",
)  # fmt: skip

_KNET, _INNER = "networking.internal.knative.dev/v1alpha1", f"{_INNER} networking"
CERTIFICATE = define(_KNET, "Certificate", "certificates", "kcert", _INNER, columns=_READY)
CLUSTERDOMAINCLAIM = define(
    _KNET, "ClusterDomainClaim", "clusterdomainclaims", "cdc", f"cluster {_INNER}"
)
KINGRESS = define(_KNET, "Ingress", "ingresses", "kingress,king", _INNER, columns=_READY)
SKS = define(_KNET, "ServerlessService", "serverlessservices", "sks", _INNER, columns=_SKS)

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
        self._resources.setdefault(kind.table, kind)
        self.generation += 1

    def remove(self, kind: Kind) -> None:
        self._kinds.pop((kind.group, kind.version, kind.plural), None)
        self._resources = {}
        for rest in self:
            self._resources.setdefault(rest.table, rest)
        self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def by_resource(self, resource: str) -> Kind | None:
        """The first kind stored under this key (see `Kind.table`)."""
        return self._resources.get(resource)

    def bydefine(self, api_version: str, kind: str) -> Kind | None:
        """The kind that an object with these two fields has."""
        return next((k for k in self if k.kind == kind and k.api_version == api_version), None)

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._kinds.values()))
