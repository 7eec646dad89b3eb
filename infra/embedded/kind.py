"""A kind: what a resource is called, how it is served and where it is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of a custom resource; `path` is a JSONPath as in a CRD."""

    name: str
    path: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one version.  Kinds of a group and plural share their storage."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False  # has the subresource status
    generation: bool = True  # metadata.generation counts changes of the spec
    subresources: tuple[str, ...] = ()  # besides status
    verbs: tuple[str, ...] = ALL_VERBS
    columns: tuple[Column, ...] = field(default=(), hash=False, compare=False)
    custom: bool = False  # defined by a CRD
    stored_as: str = ""  # the table of another kind, of which this one is a view
    shape: object = field(default=None, hash=False, compare=False)  # of a CRD's schema

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The name in messages: `services.serving.knative.dev`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def table(self) -> str:
        """The storage key, which all versions of a kind share."""
        return self.stored_as or self.resource

    def __str__(self) -> str:
        return self.resource


def define(
    api: str,
    kind: str,
    plural: str,
    short: str = "",
    flags: str = "",
    *,
    columns: str = "",
    subresources: Sequence[str] = (),
    verbs: Sequence[str] = ALL_VERBS,
    stored_as: str = "",
) -> Kind:
    """A built-in kind.

    Flags: `cluster` scoped, `plain` has no generation, has `status`; others are categories.
    """
    group, version = api.split("/")
    words = flags.split()
    return Kind(
        group,
        version,
        kind,
        plural,
        namespaced="cluster" not in words,
        short_names=tuple(short.split(",")) if short else (),
        categories=tuple(w for w in words if w not in ("cluster", "plain", "status")),
        status="status" in words,
        generation="plain" not in words,
        subresources=tuple(subresources),
        verbs=tuple(verbs),
        columns=tuple(_column(row) for row in columns.split(";") if row),
        stored_as=stored_as,
        custom=group.endswith(".knative.dev"),
    )


def _column(row: str) -> Column:
    name, path, *kind = row.split("=")
    condition = path.removeprefix("?")
    if condition != path:
        path = f".status.conditions[?(@.type=='Ready')].{condition}"
    return Column(
        name,
        path,
        type=kind[0] if kind else "string",
        description=f"Custom resource definition column (in JSONPath format): {path}",
    )
