"""Shapes: what fields an object of a kind has, read from the type files or from a CRD's schema."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

from infra.embedded.api import versions
from infra.embedded.kinds import Kind

Sort = Literal[
    "object",
    "map",
    "list",
    "string",
    "int",
    "number",
    "bool",
    "time",
    "quantity",
    "intstr",
    "bytes",
    "any",
]
_SCALARS: dict[str, tuple[Sort, str]] = {
    "string": ("string", "string"),
    "int": ("int", "int32"),
    "int32": ("int", "int32"),
    "int64": ("int", "int64"),
    "number": ("number", "float64"),
    "bool": ("bool", "bool"),
    "time": ("time", "string"),
    "quantity": ("quantity", "resource.Quantity"),
    "intstr": ("intstr", "intstr.IntOrString"),
    "bytes": ("bytes", "string"),
    "any": ("any", ""),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a value; `go` is what Go's decoder calls its type."""

    sort: Sort
    go: str = ""
    fields: dict[str, "Shape"] = field(default_factory=dict)  # of an object
    items: "Shape | None" = None  # of a list, or the values of a map
    keys: tuple[str, ...] = ()  # tell the items of a list apart; ("*",) for a set
    open: bool = False  # keeps fields that it does not know
    schema: Mapping[str, Any] = field(default_factory=dict)  # what else a CRD demands
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)  # of the fields in protobuf

    def child(self, name: str) -> "Shape | None":
        """The shape of a member; None when the member is not known."""
        return self.items if self.sort == "map" else self.fields.get(name)


ANYTHING = Shape("any", open=True)


@cache
def _types() -> dict[str, Shape]:
    """Every named type of the type files."""
    sections = dict(_sections())
    shapes = {
        name: Shape("object", name, open="..." in dict(rows)) for name, rows in sections.items()
    }
    for name, rows in sections.items():
        for member, text in rows:
            if member == "...":
                continue
            kind, _, number = text.partition(" =")
            shapes[name].fields[member] = _parse(kind, shapes)
            if number:
                shapes[name].numbers[member] = tuple(int(part) for part in number.split("."))
    return shapes


def _sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    folder = resources.files("infra.embedded.schemas")
    for file in ("core.types", "knative.types"):
        name, rows = "", list[tuple[str, str]]()
        for line in folder.joinpath(file).read_text().splitlines():
            if line.startswith("  "):
                member, _, text = line.strip().partition(" ")
                rows.append((member, text))
            elif line and not line.startswith("#"):
                if name:
                    yield name, rows
                name, rows = line, []
        yield name, rows


def _parse(text: str, shapes: Mapping[str, Shape]) -> Shape:
    if text in _SCALARS:
        sort, go = _SCALARS[text]
        return Shape(sort, go)
    if text.startswith("map "):
        values = _parse(text.removeprefix("map "), shapes)
        return Shape("map", f"map[string]{values.go}", items=values)
    if text.startswith("[]"):
        inner, _, keys = text.removeprefix("[]").partition("@")
        items = _parse(inner, shapes)
        return Shape(
            "list", f"[]{items.go}", items=items, keys=tuple(keys.split(",")) if keys else ()
        )
    return shapes[text]


def of_kind(kind: Kind) -> Shape | None:
    """The shape of a kind, from its CRD where it has one; None when anything goes."""
    if isinstance(kind.shape, Shape):
        return kind.shape
    if versions.storage_kind(kind) is not kind:
        return None  # a view with fields of its own
    name = f"serving.{kind.kind}" if kind.group == "serving.knative.dev" else kind.kind
    if kind.custom and kind.group != "serving.knative.dev":
        return None
    return _types().get(name)


def of_name(name: str) -> Shape | None:
    """A named type of the type files."""
    return _types().get(name)


@cache
def metadata() -> Shape:
    """The shape of metadata."""
    return _types()["ObjectMeta"]


_JSON_SORTS: dict[str, Sort] = {
    "array": "list",
    "boolean": "bool",
    "integer": "int",
    "number": "number",
    "string": "string",
}


def of_schema(schema: Mapping[str, Any]) -> Shape:
    """The shape that a CRD's OpenAPI schema describes."""
    if schema.get("x-kubernetes-int-or-string"):
        return Shape("intstr", schema=schema)
    kind = schema.get("type", "object" if "properties" in schema else "")
    if kind == "object":
        return _of_object(schema)
    if kind == "array":
        style = schema.get("x-kubernetes-list-type", "atomic")
        keys = {"set": ("*",), "map": tuple(schema.get("x-kubernetes-list-map-keys", ()))}
        items = of_schema(schema.get("items") or {})
        return Shape("list", items=items, keys=keys.get(style, ()), schema=schema)
    return Shape(_JSON_SORTS.get(kind, "any"), open=kind not in _JSON_SORTS, schema=schema)


def _of_object(schema: Mapping[str, Any]) -> Shape:
    values = schema.get("additionalProperties")
    if values:
        items = of_schema(values) if isinstance(values, dict) else ANYTHING
        return Shape("map", items=items, schema=schema)
    members = {name: of_schema(inner) for name, inner in schema.get("properties", {}).items()}
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return Shape("object", fields=members, open=keeps, schema=schema)
