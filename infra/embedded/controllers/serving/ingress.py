"""The KIngress of a Route: hosts, and where their requests go.  Pure functions."""

from collections.abc import Mapping, Sequence

from infra.embedded.controllers import meta
from infra.embedded.controllers.serving import domains, names, rollout
from infra.embedded.controllers.serving.config import Domain, NetworkConfig
from infra.embedded.controllers.serving.traffic import DEFAULT, Target
from infra.embedded.store import Obj

CLUSTER_LOCAL, EXTERNAL = "ClusterLocal", "ExternalIP"
TAG_HEADER, DEFAULT_HEADER = "Knative-Serving-Tag", "Knative-Serving-Default-Route"


def ingress_of(
    route: Obj,
    by_tag: Mapping[str, Sequence[Target]],
    rolled: rollout.Rollout,
    local_tags: frozenset[str],
    network: NetworkConfig,
    all_domains: list[Domain],
) -> Obj:
    """The ingress of a rollout as it stands; hosts of `local_tags` have no public name."""
    dropped = (meta.LAST_APPLIED, *names.ROLLOUT_DURATION)
    notes = meta.without(meta.annotations(route), dropped)
    by_tag = {tag: rollout.spread(targets, tag, rolled) for tag, targets in by_tag.items()}
    rules = []
    for tag in by_tag:
        paths = _paths(route, tag, by_tag, by_header=network.tag_header)
        rules.append(_rule(_local_hosts(route, tag, network), CLUSTER_LOCAL, paths))
        if tag not in local_tags:
            public = domains.public_host(route, tag, network, all_domains)
            rules.append(_rule([public], EXTERNAL, paths))
    return {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "Ingress",
        "metadata": {
            "name": names.name(route),
            "namespace": names.namespace(route),
            "labels": {
                **meta.labels(route),
                names.ROUTE: names.name(route),
                names.ROUTE_NAMESPACE: names.namespace(route),
            },
            "annotations": {
                names.INGRESS_CLASS: network.ingress_class,
                **notes,
                names.ROLLOUT: rollout.dump(rolled),
            },
            "ownerReferences": [meta.controller_ref(route)],
        },
        "spec": {"httpOption": network.http_option, "rules": rules},
    }


def _local_hosts(route: Obj, tag: str, network: NetworkConfig) -> list[str]:
    full = domains.local_host(route, tag, network)
    short = full.removesuffix(f".{names.CLUSTER_DOMAIN}")
    return [short, f"{short}.svc", full]


def _rule(hosts: list[str], visibility: str, paths: list[Obj]) -> Obj:
    return {"hosts": hosts, "http": {"paths": paths}, "visibility": visibility}


def _paths(
    route: Obj, tag: str, by_tag: Mapping[str, Sequence[Target]], *, by_header: bool
) -> list[Obj]:
    """Where a host's requests go; with `by_header` the route's own host also follows the header.

    A tag's host says so in the same header, so that apps see one thing whichever way was taken.
    """
    own = _path(route, by_tag[tag])
    if not by_header:
        return [own]
    if tag != DEFAULT:
        return [{**own, "appendHeaders": {TAG_HEADER: tag}}]
    tagged = [
        {"headers": {TAG_HEADER: {"exact": other}}, **_path(route, targets)}
        for other, targets in by_tag.items()
        if other != DEFAULT
    ]
    return [*tagged, {"appendHeaders": {DEFAULT_HEADER: "true"}, **own}]


def _path(route: Obj, targets: Sequence[Target]) -> Obj:
    return {"splits": [_split(route, target) for target in targets if target.percent]}


def _split(route: Obj, target: Target) -> Obj:
    namespace = names.namespace(route)
    return {
        "appendHeaders": {
            "Knative-Serving-Namespace": namespace,
            "Knative-Serving-Revision": target.revision,
        },
        "percent": target.percent,
        "serviceName": target.revision,
        "serviceNamespace": namespace,
        "servicePort": 81 if target.protocol == "h2c" else 80,
    }
