"""What to probe: the types of a plan. `planfile` reads them from JSON."""

from __future__ import annotations

from dataclasses import dataclass

USER_AGENT = "vpm-probe/1.0"


@dataclass(frozen=True)
class Dns:
    """How names are resolved.

    `mode`: ``system`` asks the system's resolver and nothing else; ``auto`` goes on with the
    address that a magic name (sslip.io, nip.io) spells when the system's resolver fails;
    ``servers`` asks the given resolvers directly over UDP, and TCP where an answer is truncated.
    """

    mode: str = "system"
    servers: tuple[str, ...] = ()
    timeout: float | None = None
    family: str = "any"


@dataclass(frozen=True)
class Tls:
    """How a TLS server is verified; `ca_file` and `ca_pem` replace the system's trust store."""

    verify: bool = True
    ca_file: str | None = None
    ca_pem: str | None = None
    server_name: str | None = None


@dataclass(frozen=True)
class Limits:
    """Bounds on what a server may send; beyond them the outcome is too_large."""

    header_bytes: int = 65536
    header_count: int = 256
    body_bytes: int = 1 << 20


@dataclass(frozen=True)
class BodyCheck:
    """What the body must be: each check that is given must hold."""

    exact: str | None = None
    contains: str | None = None
    regex: str | None = None


@dataclass(frozen=True)
class Expect:
    """What makes an answer a good one: any of `status` (`200`, `2xx`) and the body checks."""

    status: tuple[str, ...] = ("2xx",)
    body: BodyCheck = BodyCheck()


@dataclass(frozen=True)
class Target:
    """One thing to probe, and how often.

    `url` is ``http://``, ``https://``, ``tcp://host:port``, ``tls://host:port`` or
    ``dns://name?type=A``. Request i starts at start + offset + i/rate; the first `warmup` requests
    are marked and come on top of `requests`. Times are seconds, `rate` is per second. `body_fill`
    is how many bytes of filling follow `body`.
    """

    name: str
    url: str
    requests: int = 1
    rate: float = 1.0
    warmup: int = 0
    offset: float = 0.0
    timeout: float = 5.0
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    body_fill: int = 0
    keepalive: bool = False
    max_redirects: int = 0
    resolve: tuple[str, ...] = ()
    connect_to: tuple[str, ...] = ()
    dns: Dns = Dns()
    tls: Tls = Tls()
    limits: Limits = Limits()
    expect: Expect = Expect()


@dataclass(frozen=True)
class Plan:
    """A whole run: its targets share one schedule, one process and one start.

    `start_at` is UTC in seconds since the epoch, so that several vantages share one window; if it
    is further off than `start_within` seconds, a clock is wrong, and the run begins at once.
    `concurrency` bounds the attempts in flight; `samples` says which attempts are written one by
    one (the summary always counts all); `output` is a path, or ``-`` for standard output.
    """

    targets: tuple[Target, ...]
    version: int = 1
    vantage: str = "devbox"
    start_at: float | None = None
    start_within: float | None = None
    concurrency: int = 256
    samples: str = "all"
    output: str = "-"
