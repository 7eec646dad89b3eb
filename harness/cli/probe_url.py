"""`vpm probe URL`: which options mean something where there is no KService and no cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from harness.core.errors import UsageError
from harness.options import CHOICES
from probes.plan import DEVBOX

# Why an option cannot be given together with a URL.
_IN_URL = "the URL says it"
_NO_SERVICE = "a plain URL is no KService"
_REFUSED: Mapping[str, str] = {
    "scheme": _IN_URL,
    "path": _IN_URL,
    "namespace": _NO_SERVICE,
    "cold_start": _NO_SERVICE,
    **{choice.name.replace("-", "_"): "no cluster is asked" for choice in CHOICES},
}


def url_options(given: Mapping[str, Any], typed: Collection[str]) -> dict[str, Any]:
    """What takes the place of options that were left out, for a URL.

    Errors:
        UsageError: options were typed that mean nothing for a URL.
    """
    problems = [
        f"--{name.replace('_', '-')}: {why}" for name, why in _REFUSED.items() if name in typed
    ]
    vantages = [name.strip() for name in given["vantages"].split(",") if name.strip()]
    others = [name for name in vantages if name != DEVBOX]
    if "vantages" in typed and others:
        problems.append(f"--vantage: {', '.join(others)}: a URL is probed from {DEVBOX} only")
    if problems:
        raise UsageError(
            "\n".join(problems),
            mend="leave it out, or name the KService to probe it from everywhere: vpm probe NAME",
        )
    return {"vantages": DEVBOX, "scheme": urlsplit(given["service"]).scheme}
