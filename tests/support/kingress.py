"""KIngress objects as Knative writes them; shape of the recording 02-lifecycle."""

from typing import Any

KOURIER = {"networking.knative.dev/ingress.class": "kourier.ingress.networking.knative.dev"}


def split(service: str, percent: int, **headers: str) -> dict[str, Any]:
    return {
        "serviceName": service,
        "serviceNamespace": "default",
        "servicePort": 80,
        "percent": percent,
        "appendHeaders": {"Knative-Serving-Revision": service, **headers},
    }


def ingress(*splits: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """As in the recording 02-lifecycle/ready-ingresses.yaml."""
    http = {"paths": [{"splits": list(splits)}]}
    return {
        "metadata": {"name": "hello", "namespace": "default", "annotations": dict(KOURIER)},
        "spec": {
            "httpOption": "Enabled",
            "rules": [
                {"hosts": ["hello.default"], "http": http, "visibility": "ClusterLocal"},
                {"hosts": ["hello.default.example.com"], "http": http, "visibility": "ExternalIP"},
            ],
            **spec,
        },
    }
