"""Faults as values: their types and parameters, and what they break together.  Pure."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.embedded.faults.api import ApiFault
from infra.embedded.faults.components import NAMES
from infra.embedded.gateway.faults import AppFault, Exposure, GatewayFaults
from infra.embedded.gateway.tls import Flaw
from infra.embedded.kubelet.dns import DnsFault


class FaultError(Exception):
    """A fault that cannot be put into effect; the message says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Broken:
    """All that is wrong at one time."""

    gateway: GatewayFaults = field(default_factory=GatewayFaults)
    dns: tuple[DnsFault, ...] = ()
    api: ApiFault = field(default_factory=ApiFault)
    components: frozenset[str] = frozenset()


# Parameters: name -> (JSON type, default).  A parameter without a default must be given.
_SERVICE = {"service": (str, "")}
_PERCENT = {"percent": (float, 100.0)}
PARAMETERS: Mapping[str, Mapping[str, tuple[type, object]]] = {
    "gateway-not-exposed": {},
    "gateway-silent": {},
    "gateway-reset": {},
    "gateway-dropped": {},
    "gateway-foreign": {},
    "gateway-not-http": {},
    "gateway-error": {**_SERVICE, **_PERCENT, "status": (int, 503)},
    "inside-not-exposed": {},
    "dns-not-found": {"name": (str, "")},
    "dns-slow": {"name": (str, ""), "seconds": (float, 5.0)},
    "dns-error": {"name": (str, "")},
    "app-slow": {**_SERVICE, **_PERCENT, "seconds": (float, 2.0)},
    "app-error": {**_SERVICE, **_PERCENT, "status": (int, 500)},
    "app-wrong-body": {**_SERVICE, **_PERCENT, "body": (str, "It works!\n")},
    "app-truncated": {**_SERVICE, **_PERCENT},
    "tls-expired": {},
    "tls-not-yet-valid": {},
    "tls-untrusted": {},
    "tls-wrong-name": {},
    "source-refused": {"source": (str, None)},
    "api-slow": {"seconds": (float, 2.0)},
    "api-down": {},
    "webhook-down": {},
    "component-down": {"name": (str, "controller")},
}
_COMMON = ("type", "forSeconds")
MAX_BODY = 4096  # bytes: what Envoy answers by itself
_BOUNDS = {"percent": (0, 100), "seconds": (0.001, 3600), "status": (200, 599)}
_EXPOSURES = {
    "gateway-not-exposed": Exposure.CLOSED,
    "gateway-silent": Exposure.SILENT,
    "gateway-reset": Exposure.RESET,
    "gateway-dropped": Exposure.DROPPED,
    "gateway-foreign": Exposure.FOREIGN,
    "gateway-not-http": Exposure.NOT_HTTP,
}
_FLAWS = {
    "tls-expired": Flaw.EXPIRED,
    "tls-not-yet-valid": Flaw.NOT_YET_VALID,
    "tls-untrusted": Flaw.UNTRUSTED,
    "tls-wrong-name": Flaw.WRONG_NAME,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault with its parameters, defaults filled in."""

    type: str
    parameters: Mapping[str, Any]
    lasts: float = 0.0  # cluster seconds until it mends itself; 0 means never

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> "Fault":
        """From a Fault's spec; raises FaultError."""
        kind = str(spec.get("type"))
        if kind not in PARAMETERS:
            raise FaultError(f"unknown type {kind!r}; known: {', '.join(PARAMETERS)}")
        known = PARAMETERS[kind]
        if unknown := sorted(spec.keys() - known.keys() - set(_COMMON)):
            takes = ", ".join(known) or "none"
            raise FaultError(f"{kind} has no parameter {unknown[0]!r}; it takes {takes}")
        values = {name: _value(kind, name, spec, *rule) for name, rule in known.items()}
        for name, (least, most) in _BOUNDS.items():
            if not least <= values.get(name, most) <= most:
                wrong = f"{name} must be {least:g} to {most:g}, not {values[name]:g}"
                raise FaultError(f"{kind}: {wrong}")
        if len(values.get("body", "").encode()) > MAX_BODY:
            raise FaultError(f"{kind}: body must be at most {MAX_BODY} bytes")
        if kind == "component-down" and values["name"] not in NAMES:
            raise FaultError(f"{kind}: name must be one of {', '.join(NAMES)}")
        if source := values.get("source"):
            values["source"] = _network(source)
        if service := values.get("service"):
            values["service"] = service if "/" in service else f"default/{service}"
        lasts = _value(kind, "forSeconds", spec, float, 0.0)
        return cls(kind, values, lasts)


def _value(kind: str, name: str, spec: Mapping[str, Any], type_: type, default: object) -> Any:
    value = spec.get(name, default)
    if value is None:
        raise FaultError(f"{kind} needs the parameter {name!r}")
    if type_ is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, type_) or isinstance(value, bool):
        raise FaultError(f"{kind}: {name} must be a {type_.__name__}, not {value!r}")
    if isinstance(value, float) and not value >= 0:
        raise FaultError(f"{kind}: {name} must not be negative")
    return value


def _network(source: str) -> str:
    try:
        return str(ipaddress.ip_network(source, strict=False))
    except ValueError as error:
        raise FaultError(f"source-refused: source: {error}") from error


def broken(faults: Sequence[Fault]) -> Broken:
    """What these faults break together; of several of one sort the last one counts."""
    exposure, flaw, api = Exposure.OPEN, Flaw.NONE, ApiFault()
    refused: list[str] = []
    apps: list[AppFault] = []
    dns: list[DnsFault] = []
    types = {fault.type for fault in faults}
    for fault in faults:
        exposure = _EXPOSURES.get(fault.type, exposure)
        flaw = _FLAWS.get(fault.type, flaw)
        api = api.with_fault(fault.type, fault.parameters.get("seconds", 0.0))
        area, _, kind = fault.type.partition("-")
        if fault.type == "source-refused":
            refused.append(fault.parameters["source"])
        elif fault.type == "gateway-error":
            apps.append(AppFault("by-gateway", **fault.parameters))
        elif area == "app":
            apps.append(AppFault(kind, **fault.parameters))  # type: ignore[arg-type]
        elif area == "dns":
            missing, failing = kind == "not-found", kind == "error"
            dns.append(DnsFault(**fault.parameters, missing=missing, failing=failing))
    inside = "inside-not-exposed" in types
    gateway = GatewayFaults(exposure, flaw, tuple(refused), tuple(apps), inside_closed=inside)
    gone = frozenset(f.parameters["name"] for f in faults if f.type == "component-down")
    return Broken(gateway, tuple(dns), api, gone)
