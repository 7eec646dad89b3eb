"""Kubernetes manifests read strictly, so that kubectl cannot read them differently.

Anchors, aliases, tags, merge keys and keys that appear twice are refused: two parsers may take
them for two things. Depth is bounded on the event stream first, because libyaml's composer
recurses on the C stack and deep nesting would end the process.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from typing import Protocol

import yaml

from harness.contracts.facts import ObjectFacts
from harness.contracts.model import OBJECT_NAME

MAX_DEPTH = 40

_STARTS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class _Mark(Protocol):
    """A place as both of PyYAML's parsers give it; both numbers count from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class UnusableYaml(ValueError):
    """The bytes are not plain YAML documents; the message says what is in the way.

    `line` and `column` count from 1; both are 1 where the place is not known.
    """

    def __init__(self, message: str, mark: _Mark | None = None) -> None:
        super().__init__(message)
        self.line = mark.line + 1 if mark else 1
        self.column = mark.column + 1 if mark else 1


class _Loader(yaml.CSafeLoader):
    """Loads plain data; a key that appears twice in a mapping is an error."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        keys = [key.value for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice or "<<" in keys:
            bad = min(twice) if twice else "<<"
            what = f"the key {bad!r} appears twice" if twice else "merge keys are not read"
            mark = [key.start_mark for key, _ in node.value if key.value == bad][-1]
            raise UnusableYaml(f"line {mark.line + 1}: {what}", mark)
        return super().construct_mapping(node, deep=deep)


def documents(content: bytes) -> list[object]:
    """The non-empty documents of a YAML stream.

    Errors:
        UnusableYaml: not UTF-8, not YAML, too deep, or with features that are not read.
    """
    try:
        text = content.decode("utf-8")
        _check_events(text)
        loaded = list(yaml.load_all(text, _Loader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise UnusableYaml(" ".join(str(error).split())[:300], mark) from error
    return [document for document in loaded if document is not None]


@lru_cache(maxsize=256)
def objects(content: bytes) -> tuple[ObjectFacts, ...]:
    """The Kubernetes objects in a manifest; a `List` is not taken apart but named as it is.

    Errors:
        UnusableYaml: as for `documents`, or a document is not an object with a name.
    """
    return tuple(_object(document) for document in documents(content))


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        for feature in ("anchor", "tag"):  # an alias is an event with an anchor, too
            if getattr(event, feature, None):
                what = f"{feature} {getattr(event, feature)!r}: {feature}s are not read"
                raise UnusableYaml(what, event.start_mark)
        depth += isinstance(event, _STARTS) - isinstance(event, _ENDS)
        if depth > MAX_DEPTH:
            raise UnusableYaml(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)


def _object(document: object) -> ObjectFacts:
    if not isinstance(document, dict):
        raise UnusableYaml(f"a document is a {type(document).__name__}, not an object")
    lists = [key for key in document if str(key).casefold() == "items"]
    if lists:
        # kubectl would apply what is in the list, whatever kind stands beside it.
        raise UnusableYaml(f"an object with the key {lists[0]!r}: write one document for each")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        raise UnusableYaml("an object without metadata")
    api, kind, name = document.get("apiVersion"), document.get("kind"), metadata.get("name")
    namespace = metadata.get("namespace", "")
    if not all(isinstance(part, str) for part in (api, kind, name, namespace)):
        raise UnusableYaml("apiVersion, kind, metadata.name and namespace must be texts")
    if not re.fullmatch(OBJECT_NAME, str(name)):
        raise UnusableYaml(f"{str(name)[:80]!r} is no name of an object")
    return ObjectFacts(api=str(api), kind=str(kind), name=str(name), namespace=str(namespace))
