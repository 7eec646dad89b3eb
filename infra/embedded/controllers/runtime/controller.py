"""What a controller is: the objects it watches, and what it does for one key.

A controller never sees events.  An event only names a key; the controller then reads the store
and writes what is missing, so a lost, doubled or late event does no harm.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from infra.embedded.controllers.meta import controller_of, labels
from infra.embedded.kinds import Kind
from infra.embedded.store import Obj


class Key(NamedTuple):
    """The object that a controller works on."""

    namespace: str
    name: str


KeysOf = Callable[[Obj], Iterable[Key]]


@dataclass(frozen=True, slots=True)
class Watch:
    """Objects of `kind` matter to a controller; `keys` says for which of its own objects."""

    kind: Kind
    keys: KeysOf


class ReconcileError(Exception):
    """The work for a key failed in a way that may pass; it is retried with growing delays.

    `base` is the first delay in cluster seconds.
    """

    def __init__(self, message: str, *, base: float = 0.005) -> None:
        super().__init__(message)
        self.base = base


class Controller(Protocol):
    """One reconciler; `name` is the component that its events name."""

    name: str

    def watches(self) -> Iterable[Watch]:
        """What this controller reacts to; read once, at the start."""
        ...

    def reconcile(self, key: Key) -> float | None:
        """Bring the key's object to what it asks for; a number asks to be called again then."""
        ...


def key_of(obj: Obj) -> Key:
    meta = obj["metadata"]
    return Key(meta.get("namespace", ""), meta["name"])


def itself(obj: Obj) -> Iterable[Key]:
    """The object is the controller's own."""
    return (key_of(obj),)


def owner(kind: Kind) -> KeysOf:
    """The object belongs to one of the controller's own, of this kind."""

    def keys(obj: Obj) -> Iterable[Key]:
        ref = controller_of(obj)
        if ref is None or ref["kind"] != kind.kind or ref["apiVersion"] != kind.api_version:
            return ()
        return (Key(obj["metadata"].get("namespace", ""), ref["name"]),)

    return keys


def label(name: str) -> KeysOf:
    """A label of the object names one of the controller's own, in the same namespace."""

    def keys(obj: Obj) -> Iterable[Key]:
        value = labels(obj).get(name)
        return (Key(obj["metadata"].get("namespace", ""), value),) if value else ()

    return keys
