"""YAML with places: plain values, and where in the file each of them stands."""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from harness.spec.problem import Problem

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
_TOO_DEEP = "the file is nested too deeply"

Path = tuple[str | int, ...]
Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; both count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Source:
    """One YAML document: its plain value, the places of its keys and values, its problems."""

    file: str
    value: Plain = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where `path` stands, or its nearest parent that is written down."""
        for length in range(len(path), -1, -1):
            found = (self.keys if key else self.values).get(path[:length])
            if found is not None:
                return found
        return Place(1, 1)

    def problem(
        self, path: Path, message: str, hint: str | None = None, *, key: bool = False
    ) -> Problem:
        """A problem at the place of `path`."""
        place = self.place(path, key=key)
        return Problem(self.file, place.line, place.column, message, hint)


def read_yaml(text: str, file: str) -> Source:
    """Read one YAML document. What is wrong with it is in the result's `problems`."""
    source = Source(file)
    if len(text) > MAX_BYTES:
        source.problems.append(
            Problem(file, 1, 1, f"the file has more than {MAX_BYTES} characters")
        )
        return source
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        source.problems.append(_syntax_problem(error, file))
        return source
    except RecursionError:
        source.problems.append(Problem(file, 1, 1, _TOO_DEEP))
        return source
    except yaml.YAMLError as error:
        source.problems.append(Problem(file, 1, 1, f"not YAML: {str(error).splitlines()[0]}"))
        return source
    if len(documents) != 1 or documents[0] is None:
        message = "the file is empty" if not documents else "the file has more than one document"
        source.problems.append(Problem(file, 1, 1, message, "write exactly one document"))
        return source
    _Reader(source).read(documents[0])
    return source


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    context = f" ({error.context})" if error.context else ""
    return Problem(file, line, column, f"not YAML: {error.problem}{context}")


class _Reader:
    """Turns nodes into plain values and notes their places."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._constructor = yaml.constructor.SafeConstructor()
        self._nodes = 0
        self._open: set[int] = set()

    def read(self, node: yaml.Node) -> None:
        try:
            self._source.value = self._value(node, ())
        except RecursionError:
            self._source.problems.append(Problem(self._source.file, 1, 1, _TOO_DEEP))

    def _value(self, node: yaml.Node, path: Path) -> Plain:
        place = Place(node.start_mark.line + 1, node.start_mark.column + 1)
        self._source.values[path] = place
        self._source.keys.setdefault(path, place)
        self._nodes += 1
        if self._nodes > MAX_NODES or id(node) in self._open:
            if self._nodes == MAX_NODES + 1 or id(node) in self._open:
                self._complain(path, "aliases repeat too much or contain themselves")
            return None
        self._open.add(id(node))
        try:
            return self._plain(node, path)
        finally:
            self._open.discard(id(node))

    def _plain(self, node: yaml.Node, path: Path) -> Plain:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Plain]:
        mapping: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            place = Place(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(path, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key in mapping:
                self._source.problems.append(
                    Problem(
                        self._source.file,
                        place.line,
                        place.column,
                        f"the key {key!r} is written twice",
                        f"it stands first at line {self._source.keys[(*path, key)].line}",
                    )
                )
                continue
            self._source.keys[(*path, key)] = place
            mapping[key] = self._value(value_node, (*path, key))
        return mapping

    def _scalar(self, node: yaml.Node, path: Path) -> Plain:
        if node.tag == "tag:yaml.org,2002:timestamp":
            return str(node.value)
        try:
            value = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            self._complain(path, f"cannot be read: {str(error).splitlines()[0]}")
            return None
        return value if value is None or isinstance(value, (bool, int, float)) else str(value)

    def _complain(self, path: Path, message: str) -> None:
        self._source.problems.append(self._source.problem(path, message))
