"""The objects that a PodAutoscaler owns.  Pure functions."""

from infra.embedded.controllers import meta
from infra.embedded.controllers.serving import names
from infra.embedded.store import Obj

_NANOSECONDS = 1_000_000_000


def _metadata(autoscaler: Obj) -> Obj:
    return {
        "name": names.name(autoscaler),
        "namespace": names.namespace(autoscaler),
        "labels": dict(meta.labels(autoscaler)),
        "annotations": dict(meta.annotations(autoscaler)),
        "ownerReferences": [meta.controller_ref(autoscaler)],
    }


def serverless_service_of(autoscaler: Obj, mode: str, activators: int) -> Obj:
    """The ServerlessService in a mode (`Proxy` or `Serve`)."""
    notes = meta.without(meta.annotations(autoscaler), (names.METRIC,))
    return {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "ServerlessService",
        "metadata": {**_metadata(autoscaler), "annotations": notes},
        "spec": {
            "mode": mode,
            "numActivators": activators,
            "objectRef": autoscaler["spec"]["scaleTargetRef"],
            "protocolType": autoscaler["spec"].get("protocolType", "http1"),
        },
    }


def metric_of(autoscaler: Obj, target: str, *, stable: float, panic: float) -> Obj:
    """The Metric; windows are given in seconds and stored in nanoseconds."""
    return {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "Metric",
        "metadata": _metadata(autoscaler),
        "spec": {
            "panicWindow": int(panic * _NANOSECONDS),
            "scrapeTarget": target,
            "stableWindow": int(stable * _NANOSECONDS),
        },
    }
