"""The HTTPS listeners' certificate: one that fits every host of the gateway."""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum

from infra.embedded.certs import Authority, KeyPair
from infra.embedded.clock import Clock

WRONG_NAME = "wrong.invalid"
_OFF = timedelta(days=30)
_SHORT = timedelta(days=1)


class Flaw(StrEnum):
    """What is wrong with the certificate."""

    NONE = ""
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    UNTRUSTED = "untrusted"
    WRONG_NAME = "wrong-name"


def names(hosts: Iterable[str], address: str) -> tuple[str, ...]:
    """The names of a certificate for these hosts: a wildcard for each parent domain."""
    wildcards = {f"*.{host.partition('.')[2]}" for host in hosts if host.count(".") > 1}
    return (address, *sorted(wildcards))


def certificate(authority: Authority, hosts: tuple[str, ...], flaw: Flaw, clock: Clock) -> KeyPair:
    """A certificate of the cluster's authority, good or flawed on purpose."""
    if flaw is Flaw.WRONG_NAME:
        return authority.issue(WRONG_NAME, [WRONG_NAME])
    if flaw is Flaw.EXPIRED:
        return authority.issue("gateway", hosts, starts=clock.now() - _OFF, lifetime=_SHORT)
    if flaw is Flaw.NOT_YET_VALID:
        return authority.issue("gateway", hosts, starts=clock.now() + _OFF, lifetime=_SHORT)
    if flaw is Flaw.UNTRUSTED:
        return Authority.stranger().issue("gateway", hosts)
    return authority.issue("gateway", hosts)
