"""What `kubectl get -o yaml` showed: generations and READY of the objects of a contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from harness.core.errors import ClusterError

# What YAML says without a tag, and JSON can say, too.
_PLAIN = frozenset({"bool", "int", "float", "null"})


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


class _Loader(yaml.CSafeLoader):
    """Loads what Kubernetes knows; a time or a lone `=` is a text, as kubectl means it."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own way)
        first: [(tag, pattern) for tag, pattern in rules if tag.rpartition(":")[2] in _PLAIN]
        for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def live_objects(text: str) -> list[dict[str, Any]]:
    """The objects in the YAML that kubectl printed, of one command or of several; a List is
    taken apart.

    Errors:
        ClusterError: it is not such YAML.
    """
    try:
        documents = [found for found in yaml.load_all(text, _Loader) if found is not None]
    except yaml.YAMLError as error:
        raise ClusterError(f"kubectl printed what is not YAML: {error}") from error
    objects: list[Any] = []
    for document in documents:
        is_list = isinstance(document, dict) and document.get("kind") == "List"
        objects += _list(document.get("items")) if is_list else [document]
    if not all(isinstance(found, dict) for found in objects):
        raise ClusterError("kubectl printed YAML that is no object")
    return objects


def shown(text: str) -> dict[str, Shown]:
    """The objects in the YAML that kubectl printed, by `Kind/name`.

    Errors:
        ClusterError: it is not such YAML.
    """
    return {f"{found.kind}/{found.name}": found for found in map(_shown, live_objects(text))}


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
