"""The part of JSONPath that printer columns use: fields, keys, indices, one filter.  Pure."""

import re
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>[A-Za-z0-9_$-]+)
      | \[\s*'(?P<quoted>(?:[^'\\]|\\.)*)'\s*\]
      | \[(?P<index>-?\d+|\*)\]
      | \[\?\(\s*@\.(?P<key>[A-Za-z0-9_.]+)\s*==\s*["'](?P<value>[^"']*)["']\s*\)\]""",
    re.VERBOSE,
)
Step = tuple[str, str, str]


@lru_cache(maxsize=512)
def compile_path(path: str) -> tuple[Step, ...]:
    """Steps of a path; raises ValueError for what is not supported."""
    text = path.strip().removeprefix("{").removesuffix("}")
    text = text if text.startswith((".", "[")) else f".{text}"
    steps: list[Step] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise ValueError(f"JSONPath {path!r}: cannot read {text[position:]!r}")
        position = found.end()
        if found["field"] is not None:
            steps.append(("field", found["field"], ""))
        elif found["quoted"] is not None:
            steps.append(("field", re.sub(r"\\(.)", r"\1", found["quoted"]), ""))
        elif found["index"] is not None:
            steps.append(("index", found["index"], ""))
        else:
            steps.append(("filter", found["key"], found["value"]))
    return tuple(steps)


def first(obj: Any, path: str) -> Any:
    """The first value at a path, None when there is none."""
    values = [obj]
    for kind, name, value in compile_path(path):
        values = [found for node in values for found in _step(node, kind, name, value)]
    return values[0] if values else None


def _step(node: Any, kind: str, name: str, value: str) -> list[Any]:
    if kind == "field":
        return [node[name]] if isinstance(node, dict) and name in node else []
    if not isinstance(node, list):
        return []
    if kind == "filter":
        return [item for item in node if isinstance(item, dict) and item.get(name) == value]
    if name == "*":
        return node
    index = int(name)
    return [node[index]] if -len(node) <= index < len(node) else []
