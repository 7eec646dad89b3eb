"""Moments as text: reading them strictly, and the ids of runs."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from harness.ports import Clock

STAMP = "%Y%m%dT%H%M%SZ"
_STAMP_IN_ID = re.compile(r"(?<!\d)(\d{8}T\d{6}Z)(?![0-9A-Za-z])")
EARLIEST = datetime.min.replace(tzinfo=UTC)
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def new_run_id(prefix: str, clock: Clock) -> str:
    """A fresh id: the prefix, the UTC time and a random suffix, so that two runs never share it.

    Characters that do not belong into a folder's name become `-`.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", prefix).strip("-_") or "run"
    return f"{name}_{clock.now().astimezone(UTC).strftime(STAMP)}_{secrets.token_hex(3)}"


def stamp_of(text: str) -> datetime | None:
    """The UTC moment that an id or file name carries; None when it carries none."""
    found = _STAMP_IN_ID.search(text)
    if not found:
        return None
    try:
        return datetime.strptime(found[1], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def moment(text: str) -> datetime:
    """The moment of an ISO 8601 text.

    Errors:
        ValueError: not ISO 8601, or without a time zone: local times labelled as UTC have
            happened.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} lies outside the calendar") from error


def moment_or_none(text: str) -> datetime | None:
    """The moment of an ISO 8601 text; None where `moment` would fail."""
    try:
        return moment(text)
    except ValueError:
        return None


def utc_text(at: datetime) -> str:
    """A moment as evidence writes it: `2026-11-22T10:00:00.123456Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
