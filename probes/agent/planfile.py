"""Reading a plan from JSON: strict, and all errors of a file at once."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Callable
from urllib.parse import urlsplit

from . import SCHEMA_VERSION
from .addresses import parse_server
from .plan import BodyCheck, Dns, Expect, Limits, Plan, Target, Tls
from .rewrite import parse_connect_to, parse_resolve

MIN_RATE, MAX_RATE = 0.001, 100_000
MAX_REQUESTS = 10_000_000
MAX_FILL = 64 << 20
_LATEST_START = 253_402_300_799  # The end of the year 9999, where ISO 8601 and datetime end.
SCHEMES = ("http", "https", "tcp", "tls", "dns")

# The gateway's activator answers these by itself, so a probe that sends them proves nothing.
_PROBE_HEADERS = frozenset(("k-kubelet-probe", "k-network-probe"))
_PROBE_AGENTS = ("kube-probe", "knative-")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_FORBIDDEN = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_STATUS = re.compile(r"[1-5](\d\d|xx)\Z")


class PlanError(Exception):
    """A plan that cannot be run; `errors` has one line for each mistake."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def parse_plan(text: str) -> Plan:
    """The plan that the JSON `text` describes; PlanError names every mistake in it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlanError([f"plan: not JSON: {error}"]) from error
    errors: list[str] = []
    plan = _decode_object(Plan, value, "plan", errors)
    if plan is not None and not errors:
        _check_plan(plan, errors)
    if errors or plan is None:
        raise PlanError(errors)
    return plan  # type: ignore[no-any-return]


def _decode_object(cls: Any, value: Any, path: str, errors: list[str]) -> Any:
    """An instance of the dataclass `cls`, or None when `value` does not fit it."""
    if not isinstance(value, dict):
        errors.append(f"{path}: expected an object, got {_kind(value)}")
        return None
    fields = {field.name: field for field in dataclasses.fields(cls)}
    known = ", ".join(sorted(fields))
    before = len(errors)
    unknown = sorted(value.keys() - fields.keys())
    errors.extend(f"{path}.{key}: unknown key; known are {known}" for key in unknown)
    arguments: dict[str, Any] = {}
    for name, field in fields.items():
        if name in value:
            decode = _DECODERS[str(field.type)]
            arguments[name] = decode(value[name], f"{path}.{name}", errors)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            errors.append(f"{path}.{name}: missing")
    return cls(**arguments) if len(errors) == before else None


def _scalar(*types: type) -> Callable[[Any, str, list[str]], Any]:
    def decode(value: Any, path: str, errors: list[str]) -> Any:
        # bool is an int to Python, but `"requests": true` is a mistake.
        if (isinstance(value, bool) and bool not in types) or not isinstance(value, types):
            wanted = " or ".join(_NAMES[kind] for kind in types)
            errors.append(f"{path}: expected {wanted}, got {_kind(value)}")
        return value

    return decode


def _tuple_of(item: Callable[[Any, str, list[str]], Any]) -> Callable[[Any, str, list[str]], Any]:
    def decode(value: Any, path: str, errors: list[str]) -> Any:
        if not isinstance(value, list):
            errors.append(f"{path}: expected a list, got {_kind(value)}")
            return ()
        return tuple(item(each, f"{path}[{i}]", errors) for i, each in enumerate(value))

    return decode


def _pair(value: Any, path: str, errors: list[str]) -> Any:
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value)):
        errors.append(f"{path}: expected a pair [name, value] of strings, got {_kind(value)}")
        return ("", "")
    return tuple(value)


def _nested(cls: Any) -> Callable[[Any, str, list[str]], Any]:
    return lambda value, path, errors: _decode_object(cls, value, path, errors)


def _kind(value: Any) -> str:
    return _NAMES.get(type(value), type(value).__name__)


_NAMES: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}

_string = _scalar(str)

# Keyed by the text of the annotation: Python 3.9 cannot evaluate `float | None`.
_DECODERS: dict[str, Callable[[Any, str, list[str]], Any]] = {
    "str": _string,
    "int": _scalar(int),
    "bool": _scalar(bool),
    "float": _scalar(int, float),
    "str | None": _scalar(str, type(None)),
    "float | None": _scalar(int, float, type(None)),
    "tuple[str, ...]": _tuple_of(_string),
    "tuple[tuple[str, str], ...]": _tuple_of(_pair),
    "tuple[Target, ...]": _tuple_of(_nested(Target)),
    "Dns": _nested(Dns),
    "Tls": _nested(Tls),
    "Limits": _nested(Limits),
    "Expect": _nested(Expect),
    "BodyCheck": _nested(BodyCheck),
}


def _check_plan(plan: Plan, errors: list[str]) -> None:
    names = [target.name for target in plan.targets]
    rules = (
        (plan.version == SCHEMA_VERSION, f"version: expected {SCHEMA_VERSION}"),
        (bool(plan.targets), "targets: expected at least one"),
        (len(set(names)) == len(names), "targets: each name must be used once"),
        (1 <= plan.concurrency <= 10_000, "concurrency: expected 1 to 10000"),
        (
            plan.samples in ("all", "failures", "none"),
            "samples: expected all, failures or none",
        ),
        (bool(plan.output), "output: expected a path or -"),
        (
            plan.start_at is None or 0 <= plan.start_at <= _LATEST_START,
            "start_at: expected UTC in seconds since the epoch",
        ),
        (
            plan.start_within is None or 0 < plan.start_within <= 86_400,
            "start_within: expected more than 0, at most 86400 seconds",
        ),
    )
    errors.extend(f"plan.{message}" for holds, message in rules if not holds)
    for i, target in enumerate(plan.targets):
        errors.extend(f"plan.targets[{i}].{message}" for message in _target_errors(target))


def _target_errors(target: Target) -> list[str]:
    dns, limits, body = target.dns, target.limits, target.expect.body
    rules = (
        (bool(target.name), "name: expected at least one character"),
        (MIN_RATE <= target.rate <= MAX_RATE, f"rate: expected {MIN_RATE} to {MAX_RATE} per s"),
        (0 <= target.requests <= MAX_REQUESTS, f"requests: expected 0 to {MAX_REQUESTS}"),
        (0 <= target.warmup <= MAX_REQUESTS, f"warmup: expected 0 to {MAX_REQUESTS}"),
        (0 <= target.offset <= 86_400, "offset: expected 0 to 86400 seconds"),
        (0 < target.timeout <= 3600, "timeout: expected more than 0, at most 3600 seconds"),
        (0 <= target.body_fill <= MAX_FILL, f"body_fill: expected 0 to {MAX_FILL}"),
        (0 <= target.max_redirects <= 20, "max_redirects: expected 0 to 20"),
        (bool(_TOKEN.match(target.method)), "method: expected an HTTP token"),
        (dns.mode in ("system", "auto", "servers"), "dns.mode: expected system, auto or servers"),
        ((dns.mode == "servers") == bool(dns.servers), "dns.servers: goes with mode servers"),
        (dns.family in ("any", "4", "6"), "dns.family: expected any, 4 or 6"),
        (
            dns.timeout is None or 0 < dns.timeout <= 3600,
            "dns.timeout: expected more than 0, at most 3600 seconds",
        ),
        (min(limits.header_bytes, limits.header_count) > 0, "limits: expected positive numbers"),
        (limits.body_bytes >= 0, "limits.body_bytes: expected 0 or more"),
        (
            all(_STATUS.match(status) for status in target.expect.status),
            'expect.status: expected entries such as "200" or "2xx"',
        ),
        (_compiles(body.regex), "expect.body.regex: not a regular expression"),
    )
    errors = [message for holds, message in rules if not holds]
    errors.extend(_url_errors(target.url))
    errors.extend(_header_errors(target.headers))
    for i, rule in enumerate(target.resolve):
        errors.extend(_syntax(parse_resolve, rule, f"resolve[{i}]"))
    for i, rule in enumerate(target.connect_to):
        errors.extend(_syntax(parse_connect_to, rule, f"connect_to[{i}]"))
    for i, server in enumerate(target.dns.servers):
        errors.extend(_syntax(parse_server, server, f"dns.servers[{i}]"))
    return errors


def _url_errors(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return [f"url: {error}"]
    if parts.scheme not in SCHEMES:
        return [f"url: expected a scheme of {', '.join(SCHEMES)}, got {parts.scheme or 'none'}"]
    if not parts.hostname:
        return ["url: no host in it"]
    if port == 0:
        return ["url: port 0 cannot be connected to"]
    if parts.username is not None:
        return ["url: credentials do not belong in it; use a header"]
    if parts.scheme in ("tcp", "tls") and port is None:
        return [f"url: {parts.scheme}:// needs a port"]
    if not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        return ["url: only visible ASCII may be in it; percent-encode the rest"]
    return []


def _header_errors(headers: tuple[tuple[str, str], ...]) -> list[str]:
    errors = []
    for name, value in headers:
        lower = name.lower()
        if not _TOKEN.match(name):
            errors.append(f"headers: {name!r} is not a header name")
        elif _FORBIDDEN.search(value):
            errors.append(f"headers: the value of {name} has characters that HTTP forbids")
        elif lower in ("content-length", "transfer-encoding", "connection"):
            errors.append(f"headers: {name} is set by the prober")
        elif lower in _PROBE_HEADERS or (
            lower == "user-agent" and value.lower().startswith(_PROBE_AGENTS)
        ):
            errors.append(f"headers: {name}: {value!r} would be answered by the gateway itself")
    return errors


def _syntax(parse: Callable[[str], object], rule: str, path: str) -> list[str]:
    try:
        parse(rule)
    except ValueError as error:
        return [f"{path}: {error}"]
    return []


def _compiles(pattern: str | None) -> bool:
    if pattern is None:
        return True
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
