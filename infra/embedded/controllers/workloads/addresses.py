"""Cluster addresses of Services."""

import ipaddress
import secrets

from infra.embedded.kinds import SERVICE
from infra.embedded.store import Store

NETWORK = ipaddress.IPv4Network("10.96.0.0/16")
_RESERVED = 256  # the first addresses are for the API server's and DNS' own Services


def free_cluster_ip(store: Store) -> str:
    """An address of the service network that no Service has."""
    taken = {service["spec"].get("clusterIP") for service in store.list(SERVICE)}
    while True:
        offset = _RESERVED + secrets.randbelow(NETWORK.num_addresses - _RESERVED - 1)
        address = str(NETWORK[offset])
        if address not in taken:
            return address
