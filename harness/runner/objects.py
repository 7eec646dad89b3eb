"""What `kubectl get -o yaml` showed: generations and READY of the objects of a contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from harness.core.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Shown:
    """One live object, as far as the runner looks at it."""

    kind: str
    name: str
    uid: str
    generation: int
    observed_generation: int
    resource_version: str
    ready: str
    ready_reason: str
    latest_created: str = ""
    latest_ready: str = ""

    @property
    def unready(self) -> str:
        """Why the object is not READY at its generation; empty when it is."""
        if self.ready != "True":
            return f"Ready is {self.ready or 'not reported'} {self.ready_reason}".strip()
        if self.observed_generation != self.generation:
            return f"observedGeneration {self.observed_generation}, generation {self.generation}"
        if self.latest_ready != self.latest_created:
            return f"latest ready {self.latest_ready}, latest created {self.latest_created}"
        return ""


def shown(text: str) -> dict[str, Shown]:
    """The objects in the YAML that kubectl printed (one object or a List), by `Kind/name`.

    Errors:
        ClusterError: it is not such YAML.
    """
    try:
        document = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ClusterError(f"kubectl printed what is not YAML: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ClusterError("kubectl printed YAML that is no object")
    items = document["items"] if document.get("kind") == "List" else [document]
    return {f"{found.kind}/{found.name}": found for found in map(_shown, items)}


def _shown(item: object) -> Shown:
    metadata, status = _mapping(item, "metadata"), _mapping(item, "status")
    conditions = status.get("conditions", [])
    ready = next(
        (found for found in _list(conditions) if _mapping_of(found).get("type") == "Ready"), {}
    )
    condition = _mapping_of(ready)
    reason = f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
    return Shown(
        kind=_text(_mapping_of(item).get("kind")),
        name=_text(metadata.get("name")),
        uid=_text(metadata.get("uid")),
        generation=_number(metadata.get("generation")),
        observed_generation=_number(status.get("observedGeneration")),
        resource_version=_text(metadata.get("resourceVersion")),
        ready=_text(condition.get("status")),
        ready_reason=reason,
        latest_created=_text(status.get("latestCreatedRevisionName")),
        latest_ready=_text(status.get("latestReadyRevisionName")),
    )


def _mapping(item: object, key: str) -> Mapping[object, object]:
    return _mapping_of(_mapping_of(item).get(key))


def _mapping_of(value: object) -> Mapping[object, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
