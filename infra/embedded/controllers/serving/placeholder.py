"""Placeholder Services of a Route: its names inside the cluster.  Pure functions."""

from infra.embedded.controllers import meta
from infra.embedded.controllers.serving import names
from infra.embedded.store import Obj

TAG = "networking.internal.knative.dev/tag"


def balancer(ingress: Obj | None) -> str | None:
    """The name inside the cluster under which the ingress serves, once it says so."""
    private = (ingress or {}).get("status", {}).get("privateLoadBalancer") or {}
    entries = private.get("ingress") or [{}]
    found: str | None = entries[0].get("domainInternal")
    return found


def service_of(route: Obj, name: str, tag: str, ingress: Obj | None, host: str) -> Obj:
    """The Service for a tag (or none); before the ingress is ready it points to `host`."""
    dropped = (meta.LAST_APPLIED, *names.ROLLOUT_DURATION)
    own = meta.labels(route)
    kept = {k: own[k] for k in (names.SERVICE, names.VISIBILITY) if k in own}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": names.namespace(route),
            "labels": {**kept, names.ROUTE: names.name(route), **({TAG: tag} if tag else {})},
            "annotations": meta.without(meta.annotations(route), dropped),
            "ownerReferences": [meta.controller_ref(route)],
        },
        "spec": {
            "externalName": balancer(ingress) or host,
            "ports": [
                {
                    "appProtocol": "kubernetes.io/h2c",
                    "name": "http2",
                    "port": 80,
                    "protocol": "TCP",
                    "targetPort": 80,
                }
            ],
            "sessionAffinity": "None",
            "type": "ExternalName",
        },
        "status": {"loadBalancer": {}},
    }
