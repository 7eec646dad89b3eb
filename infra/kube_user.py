"""Whom a context acts as: kubectl honours a kubeconfig's `as`, the client library drops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.core.errors import ClusterError


def impersonation(kubeconfig: Path, context: str) -> Mapping[str, str]:
    """The headers by which the context's user acts as another; empty when it does not.

    Errors:
        ClusterError: it acts in a way that cannot be sent.
    """
    user = user_of(kubeconfig, context)
    groups = user.get("as-groups") or ()
    if len(groups) > 1 or user.get("as-user-extra"):
        raise ClusterError(
            f"context {context!r} acts as another user with several groups or extra fields",
            mend="use a context that acts as a user with at most one group",
        )
    headers = {
        "Impersonate-User": user.get("as"),
        "Impersonate-Uid": user.get("as-uid"),
        "Impersonate-Group": groups[0] if groups else None,
    }
    return {header: str(value) for header, value in headers.items() if value}


def user_of(kubeconfig: Path, context: str) -> dict[str, Any]:
    """What a kubeconfig that can be used says of the context's user."""
    content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    name = _named(content.get("contexts"), context, "context").get("user")
    return _named(content.get("users"), name, "user")


def _named(entries: Sequence[Mapping[str, Any]] | None, name: object, key: str) -> dict[str, Any]:
    found = (entry.get(key) for entry in entries or () if entry.get("name") == name)
    return dict(next(found, None) or {})
