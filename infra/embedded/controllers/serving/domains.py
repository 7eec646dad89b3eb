"""Host names of Routes and their tags.  Pure functions."""

from collections.abc import Mapping

from infra.embedded.controllers import meta
from infra.embedded.controllers.serving import names
from infra.embedded.controllers.serving.config import Domain, NetworkConfig, domain_for
from infra.embedded.store import Obj


def render(template: str, values: Mapping[str, str]) -> str:
    """A domain or tag template (`{{.Name}}.{{.Namespace}}.{{.Domain}}`) filled in."""
    for key, value in values.items():
        for spelling in (f"{{{{.{key}}}}}", f"{{{{ .{key} }}}}"):
            template = template.replace(spelling, value)
    return template


def is_cluster_local(obj: Obj) -> bool:
    return meta.labels(obj).get(names.VISIBILITY) == names.CLUSTER_LOCAL


def tagged_name(route: Obj, tag: str, network: NetworkConfig) -> str:
    """The first part of the host: the route's name, with the tag if there is one."""
    name = names.name(route)
    return render(network.tag_template, {"Tag": tag, "Name": name}) if tag else name


def local_host(route: Obj, tag: str, network: NetworkConfig) -> str:
    """The name inside the cluster."""
    name = tagged_name(route, tag, network)
    return f"{name}.{names.namespace(route)}.{names.CLUSTER_DOMAIN}"


def public_host(route: Obj, tag: str, network: NetworkConfig, domains: list[Domain]) -> str:
    """The name in the domain that config-domain gives the route."""
    domain = domain_for(domains, meta.labels(route))
    values = {
        "Name": tagged_name(route, tag, network),
        "Namespace": names.namespace(route),
        "Domain": domain,
    }
    return render(network.domain_template, values)


def host(
    route: Obj, tag: str, network: NetworkConfig, domains: list[Domain], *, local: bool
) -> str:
    """The name that a status shows: the public one, unless the target is cluster-local."""
    if local:
        return local_host(route, tag, network)
    return public_host(route, tag, network, domains)
