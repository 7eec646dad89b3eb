"""One attempt to write an object."""

from dataclasses import dataclass
from typing import Any, Literal

from infra.embedded.kinds import Kind

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who wants to do what: `old` is the object as it is, None when it is created."""

    operation: Literal["CREATE", "UPDATE", "DELETE"]
    kind: Kind
    obj: Obj
    old: Obj | None
    user: str
    subresource: str | None = None
