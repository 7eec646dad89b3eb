"""status.json: what became of a contract, bound to the cluster and to the other files."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.core.errors import UsageError
from harness.core.identity import ClusterIdentity
from harness.core.observation import Artefact
from harness.core.verdict import Verdict
from harness.runner.outcome import Change

SCHEMA = "vpm.run/v1"
STATUS = "status.json"


@dataclass(frozen=True, slots=True)
class Ended:
    """How one command ended; `exit_code` is None when it timed out."""

    command: str
    exit_code: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Status:
    """One run of one contract. Times are UTC, ISO 8601; `files` leaves out status.json."""

    run_id: str
    contract_id: str
    contract_file: str
    contract_kind: str
    content: str
    mode: str
    state: str
    reason: str
    verdict: Verdict | None
    at: str
    until: str
    cluster: ClusterIdentity
    approved: str = ""
    target: str = ""
    generation_before: int | None = None
    generation_after: int | None = None
    changes: tuple[Change, ...] = ()
    exit_codes: tuple[Ended, ...] = ()
    resumed_at: str | None = None
    files: tuple[Artefact, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: str = SCHEMA


_STATUS: TypeAdapter[Status] = TypeAdapter(Status)


def encode_status(status: Status) -> str:
    """The status as the text of a file: JSON, one line for each of its fields."""
    value = _STATUS.dump_python(status, mode="json")
    ordered = {"schema": value.pop("schema"), **value}
    lines = ",\n".join(f' "{name}": {_one_line(part)}' for name, part in ordered.items())
    return f"{{\n{lines}\n}}\n"


def _one_line(part: object) -> str:
    return json.dumps(part, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_status(path: Path) -> Status:
    """The status in a file.

    Errors:
        UsageError: there is none, or it is not of this schema.
    """
    try:
        return _STATUS.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no finished run") from error
    except (OSError, ValidationError) as error:
        raise UsageError(f"{path}: not the status of a run") from error


def status_schema() -> dict[str, object]:
    """The JSON Schema of status.json, generated from the type."""
    return _STATUS.json_schema()


def versions(cluster: ClusterIdentity) -> dict[str, str]:
    """What took part in a run, and in which version."""
    return {
        "vpm-harness": _installed("vpm-harness"),
        "python": sys.version.split()[0],
        "kubernetes": cluster.server_version,
        "knative": cluster.knative_version,
    }


@lru_cache
def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
