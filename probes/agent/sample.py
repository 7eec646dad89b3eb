"""What is reported: one `Sample` for each attempt. Absent values are left out of the JSON.

What is made once for each attempt is not frozen: a frozen dataclass of this many fields takes
seven times as long to make, which is a probe's time. Nobody changes one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping


@dataclass
class Attempted:
    """One address that was tried: `result` is an outcome's name or ``ok``; `seconds` how long."""

    address: str
    port: int
    result: str
    seconds: float
    detail: str | None = None


@dataclass(frozen=True)
class DnsFacts:
    """How the name was resolved.

    `source`: ``system``, ``servers``, ``plan`` (given by a resolve rule) or ``magic`` (the address
    that the name spells). `checked` is False when nothing that a user's resolver would do was
    tested: the hop resolve then counts neither as passed nor as failed. `names` are the asked name
    and the aliases it led to; `ttls` belong to `answers`, in seconds, where they are known.
    """

    source: str
    checked: bool
    names: tuple[str, ...]
    answers: tuple[str, ...] = ()
    ttls: tuple[int, ...] = ()
    resolver: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class TlsFacts:
    """The connection's TLS, as far as it came.

    `verified` says that the certificate was checked and found good; its fields are told in any
    case, once the server has shown it.
    """

    server_name: str
    verified: bool
    version: str
    cipher: str
    subject: str | None = None
    issuer: str | None = None
    sans: tuple[str, ...] = ()
    not_before: str | None = None
    not_after: str | None = None
    sha256: str | None = None


@dataclass
class Sample:
    """One attempt. `phases` are seconds; a phase that was not reached is absent."""

    target: str
    vantage: str
    type: str
    seq: int
    warmup: bool
    scheduled_ns: int
    start_mono_ns: int
    start_utc: str
    lateness_ns: int
    duration_s: float
    outcome: str
    hop: str
    phases: Mapping[str, float] = field(default_factory=dict)
    detail: str | None = None
    addresses: tuple[Attempted, ...] = ()
    peer: str | None = None
    local: str | None = None
    reused: bool = False
    redirects: tuple[str, ...] = ()
    http_version: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    bytes: int | None = None
    body_sha256: str | None = None
    body_head: str | None = None
    dns: DnsFacts | None = None
    tls: TlsFacts | None = None


def present(value: object) -> dict[str, Any]:
    """The fields of the dataclass `value` that say something: not None, not an empty collection."""
    return {name: item for name, item in vars(value).items() if item or item == 0 or item == ""}


# Samples hold no cycles, and looking for them is a tenth of the encoding.
_ENCODE = json.JSONEncoder(separators=(",", ":"), default=present, check_circular=False).encode


def encode(record: str, value: object) -> str:
    """One line of output without its end: the dataclass `value` as a `record`."""
    return _ENCODE({"record": record, **present(value)})
