"""Logs of Knative's components, as the cluster gives them."""

from __future__ import annotations

from typing import Final

from harness.core.errors import ClusterError
from harness.core.redact import redact
from harness.ports import KubeClient
from infra.clusters.resources import KOURIER_NAMESPACE, POD, SERVING_NAMESPACE, dig, name_of

_APPS: Final = {
    "activator": (SERVING_NAMESPACE, "activator"),
    "autoscaler": (SERVING_NAMESPACE, "autoscaler"),
    "controller": (SERVING_NAMESPACE, "controller"),
    "gateway": (KOURIER_NAMESPACE, "3scale-kourier-gateway"),
    "net-kourier": (SERVING_NAMESPACE, "net-kourier-controller"),
    "webhook": (SERVING_NAMESPACE, "webhook"),
}
COMPONENTS: Final = tuple(_APPS)


def component_log(api: KubeClient, component: str, *, lines: int) -> str:
    """The last lines of each container of a component, without secrets.

    Errors:
        ClusterError: there is no pod of it, or its log cannot be read.
    """
    namespace, app = _APPS[component]
    pods = api.list(POD, namespace, selector=f"app={app}")
    if not pods:
        raise ClusterError(
            f"no pod of {component} is there", mend=f"kubectl -n {namespace} get deployments"
        )
    texts = (
        api.logs(namespace, name_of(pod), container=container["name"], tail=lines)
        for pod in pods
        for container in dig(pod, "spec", "containers")
    )
    return redact("".join(texts))
