"""Names that spell their own address, as sslip.io and nip.io answer them."""

from __future__ import annotations

import ipaddress
import re

_SUFFIXES = (".sslip.io", ".nip.io")
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_DASHED = re.compile(rf"(?:^|[.-])({_BYTE}(?:-{_BYTE}){{3}})(?:$|[.-])")
_DOTTED = re.compile(rf"(?:^|[.-])({_BYTE}(?:\.{_BYTE}){{3}})(?:$|[.-])")
_HEX = re.compile(r"(?:^|[.-])([0-9a-f]{8})(?:$|[.-])")
_DASHED_6 = re.compile(r"(?:^|\.)((?:[0-9a-f]{0,4}-){2,7}[0-9a-f]{0,4})(?:$|\.)")


def spelled_address(host: str) -> str | None:
    """The address that the magic name `host` spells; None when it is no such name."""
    name = host.lower().rstrip(".")
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), None)
    if suffix is None:
        return None
    prefix = name[: -len(suffix)]
    for pattern in (_DASHED, _DOTTED):
        match = pattern.search(prefix)
        if match:
            return ".".join(str(int(part)) for part in re.split(r"[.-]", match.group(1)))
    return _spelled_6(prefix) or (_spelled_hex(prefix) if suffix == ".nip.io" else None)


def _spelled_6(prefix: str) -> str | None:
    match = _DASHED_6.search(prefix)
    if not match:
        return None
    try:
        return str(ipaddress.IPv6Address(match.group(1).replace("-", ":")))
    except ValueError:
        return None


def _spelled_hex(prefix: str) -> str | None:
    match = _HEX.search(prefix)
    return str(ipaddress.IPv4Address(int(match.group(1), 16))) if match else None
