"""Loopback addresses: one of its own for each cluster, and free ports on it."""

import ipaddress
import secrets
import socket

_TRIES = 64
_RANGE = ipaddress.ip_network("127.64.0.0/10")  # away from the addresses that people use


def free_address(wanted_ports: tuple[int, ...]) -> str:
    """A random address on which these ports (0 for any) can be bound."""
    for _ in range(_TRIES):
        offset = secrets.randbelow(_RANGE.num_addresses - 2) + 1
        address = str(_RANGE[offset])
        if all(can_bind(address, port) for port in wanted_ports):
            return address
    return "127.0.0.1"  # a system that gives processes this one loopback address only


def can_bind(address: str, port: int) -> bool:
    """Whether this process may listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def listen(address: str, port: int) -> socket.socket:
    """A listening socket on the port, or on a free one when that port cannot be bound."""
    for candidate in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, candidate))
        except OSError:
            listener.close()
            continue
        listener.listen(1024)
        listener.setblocking(False)
        return listener
    raise OSError(f"no port of {address} can be bound")


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
