"""Labels, annotations and names that Knative's objects share."""

from infra.embedded.controllers.meta import child_name
from infra.embedded.store import Obj

SERVICE = "serving.knative.dev/service"
SERVICE_UID = "serving.knative.dev/serviceUID"
CONFIGURATION = "serving.knative.dev/configuration"
CONFIGURATION_UID = "serving.knative.dev/configurationUID"
CONFIGURATION_GENERATION = "serving.knative.dev/configurationGeneration"
REVISION = "serving.knative.dev/revision"
REVISION_UID = "serving.knative.dev/revisionUID"
ROUTE = "serving.knative.dev/route"
ROUTE_NAMESPACE = "serving.knative.dev/routeNamespace"
ROUTES = "serving.knative.dev/routes"
ROUTING_STATE = "serving.knative.dev/routingState"
ROUTING_STATE_MODIFIED = "serving.knative.dev/routingStateModified"
CREATOR = "serving.knative.dev/creator"
MODIFIER = "serving.knative.dev/lastModifier"
ROLLOUT_DURATION = ("serving.knative.dev/rollout-duration", "serving.knative.dev/rolloutDuration")
PROGRESS_DEADLINE = "serving.knative.dev/progress-deadline"
NO_GC = "serving.knative.dev/no-gc"
VISIBILITY = "networking.knative.dev/visibility"
CLUSTER_LOCAL = "cluster-local"
INGRESS_CLASS = "networking.knative.dev/ingress.class"
ROLLOUT = "networking.internal.knative.dev/rollout"
SKS = "networking.internal.knative.dev/serverlessservice"
SERVICE_TYPE = "networking.internal.knative.dev/serviceType"
CLASS = "autoscaling.knative.dev/class"
METRIC = "autoscaling.knative.dev/metric"
KPA = "kpa.autoscaling.knative.dev"

CLUSTER_DOMAIN = "svc.cluster.local"


def name(obj: Obj) -> str:
    found: str = obj["metadata"]["name"]
    return found


def namespace(obj: Obj) -> str:
    found: str = obj["metadata"]["namespace"]
    return found


def deployment(revision: Obj) -> str:
    return child_name(name(revision), "-deployment")


def private_service(sks: Obj) -> str:
    return child_name(name(sks), "-private")
