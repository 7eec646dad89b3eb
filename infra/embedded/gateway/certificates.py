"""The certificates that KIngresses name, from their Secrets."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key
from cryptography.x509 import load_pem_x509_certificate as load_certificate

from infra.embedded.errors import NotFound
from infra.embedded.gateway.routes import Routing, Tls
from infra.embedded.kinds import SECRET
from infra.embedded.store import Obj, Store


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, for the names that clients ask for."""

    hosts: tuple[str, ...]
    chain: str
    key: str


class Certificates:
    """Looks up Secrets, and remembers which are in use."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._used: set[str] = set()

    def present(self, routing: Routing) -> bool:
        """Whether the Secrets of a routing are there and fit; they are looked at from now on."""
        self._used |= {entry.secret for entry in routing.tls}
        return all(self._find(entry.secret) is not None for entry in routing.tls)

    def concerns(self, secret: Obj) -> bool:
        """Whether a routing has, or would have, this Secret."""
        meta = secret["metadata"]
        return f"{meta['namespace']}/{meta['name']}" in self._used

    def of(self, routings: Iterable[Routing]) -> tuple[Certificate, ...]:
        """The certificates of all routings; a host that is named twice has the first."""
        return tuple(self._each(entry for one in routings for entry in one.tls))

    def _each(self, entries: Iterable[Tls]) -> Iterable[Certificate]:
        taken: set[str] = set()
        for entry in entries:
            hosts = tuple(dict.fromkeys(host for host in entry.hosts if host not in taken))
            found = self._find(entry.secret)
            if hosts and found is not None:
                taken |= set(hosts)
                yield Certificate(hosts, *found)

    def _find(self, name: str) -> tuple[str, str] | None:
        try:
            return _pair(self._store.get(SECRET, *name.split("/")).get("data") or {})
        except NotFound:
            return None


def _pair(data: Mapping[str, str]) -> tuple[str, str] | None:
    """Certificate and key, when they belong together: Envoy refuses a listener with others."""
    try:
        chain, key = (base64.b64decode(data[name]) for name in ("tls.crt", "tls.key"))
        form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ours = load_key(key, None).public_key().public_bytes(*form)
        if load_certificate(chain).public_key().public_bytes(*form) != ours:
            return None
        return chain.decode(), key.decode()
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
