"""Scenario text to a Scenario, with every problem of the file at once."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.spec.model import Scenario
from harness.spec.problem import Problem
from harness.spec.references import reference_problems
from harness.spec.suggest import suggest
from harness.spec.yaml_source import Path, Source, read_yaml


@dataclass(frozen=True, slots=True)
class Parsed:
    """A scenario and the source that it was read from; `scenario` is None if it has problems."""

    scenario: Scenario | None
    source: Source
    problems: tuple[Problem, ...]


def read_scenario(text: str, file: str) -> Parsed:
    """Read a scenario and collect its problems instead of raising them."""
    source = read_yaml(text, file)
    if source.value is None and source.problems:
        return Parsed(None, source, tuple(source.problems))
    scenario: Scenario | None = None
    problems = [*source.problems, *reference_problems(source)]
    try:
        scenario = Scenario.model_validate(source.value)
    except ValidationError as error:
        problems += _model_problems(source, error.errors())
    return Parsed(scenario, source, tuple(problems))


def _model_problems(source: Source, details: Sequence[ErrorDetails]) -> Iterator[Problem]:
    deepest = {detail["loc"] for detail in details}
    for detail in details:
        below = any(loc[: len(detail["loc"])] == detail["loc"] for loc in deepest - {detail["loc"]})
        if not (detail["type"] == "too_short" and below):
            yield _problem(source, detail)


def _problem(source: Source, detail: ErrorDetails) -> Problem:
    # Pydantic's mark for a mapping's key, where the key itself is wrong.
    in_key = detail["loc"][-1:] == ("[key]",)
    path = _written_path(source, detail["loc"][:-1] if in_key else detail["loc"])
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "extra_forbidden":
            known = list(_keys_at(Scenario, path[:-1]))
            return source.problem(path, f"unknown key {name!r}", suggest(name, known), key=True)
        case "missing":
            return source.problem(path[:-1], f"the key {name!r} is missing", _purpose(path))
        case "value_error":
            written = f"{detail['input']!r} " if isinstance(detail["input"], _SCALARS) else ""
            return source.problem(path, f"{written}{detail['ctx']['error']}")
        case "string_pattern_mismatch":
            pattern = detail["ctx"]["pattern"]
            message = f"{detail['input']!r} is not allowed here"
            return source.problem(path, message, f"it must match {pattern}", key=in_key)
        case "too_short":
            return source.problem(path, "the list is empty")
    if detail["type"] in ("literal_error", "enum"):
        expected = detail["ctx"]["expected"]
        choices = re.findall(r"'([^']*)'", expected)
        hint = suggest(str(detail["input"]), choices) if choices else None
        return source.problem(path, f"{detail['input']!r} is not one of {expected}", hint)
    message = _EXPECTED.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])
    return source.problem(path, f"{message} (found {_found(detail['input'])})", key=in_key)


_SCALARS = (str, int, float, bool, type(None))
_EXPECTED = {
    "model_type": "input should be a mapping of keys to values",
    "dict_type": "input should be a mapping of keys to values",
    "tuple_type": "input should be a list",
    "list_type": "input should be a list",
}
_LONGEST_FOUND = 40


def _found(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case _:
            text = repr(value)
            return text if len(text) <= _LONGEST_FOUND else f"{text[:_LONGEST_FOUND]}..."


def _written_path(source: Source, location: tuple[int | str, ...]) -> Path:
    """Pydantic's location without the parts that stand for types, not for keys."""
    path: Path = ()
    for part in location:
        if (*path, part) in source.values or part == location[-1]:
            path = (*path, part)
    return path


def _purpose(path: Path) -> str | None:
    model = _model_at(Scenario, path[:-1])
    name = path[-1] if path else ""
    for key, info in model.model_fields.items() if model else ():
        if (info.alias or key) == name:
            return info.description
    return None


def _keys_at(model: type[BaseModel], path: Path) -> Iterator[str]:
    found = _model_at(model, path)
    for key, info in found.model_fields.items() if found else ():
        yield info.alias or key


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    current: object = model
    for part in path:
        found = _model_in(current)
        if found is not None:
            names = {info.alias or key: info.annotation for key, info in found.model_fields.items()}
            current = names.get(str(part))
        else:
            current = _item_of(current)
    return _model_in(current)


def _unwrap(annotation: object) -> object:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _unwrap(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        present = [arg for arg in get_args(annotation) if arg is not type(None)]
        return _unwrap(present[0]) if len(present) == 1 else annotation
    return annotation


def _model_in(annotation: object) -> type[BaseModel] | None:
    plain = _unwrap(annotation)
    return plain if isinstance(plain, type) and issubclass(plain, BaseModel) else None


def _item_of(annotation: object) -> object:
    """The type of a list's items or a mapping's values."""
    plain = _unwrap(annotation)
    args = [arg for arg in get_args(plain) if arg is not Ellipsis]
    return args[-1] if args else None
