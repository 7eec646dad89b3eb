"""Events: what components tell about an object, as `kubectl describe` shows it.

A repeated event raises the count of the first one, as Kubernetes' recorder does.
"""

import itertools
from weakref import WeakKeyDictionary

from infra.embedded.clock import Clock, rfc3339_micro
from infra.embedded.kinds import EVENT
from infra.embedded.store import Obj, Store

NORMAL, WARNING = "Normal", "Warning"

_REMEMBERED = 4096  # like the recorder's cache: an older event starts a count of its own
_Identity = tuple[str, str, str, str, str]
_recent: WeakKeyDictionary[Store, dict[_Identity, str]] = WeakKeyDictionary()
_counter = itertools.count()


def record(
    store: Store, clock: Clock, obj: Obj, type: str, reason: str, message: str, component: str
) -> Obj:
    """Record an event about `obj`; one that is equal to a recent one only raises its count."""
    identity = (obj["metadata"].get("uid", ""), type, reason, message, component)
    recent = _recent.setdefault(store, {})
    namespace = obj["metadata"].get("namespace") or "default"
    earlier = store.find(EVENT, namespace, recent.get(identity, ""))
    if earlier is not None:
        again = {"count": earlier.get("count", 1) + 1, "lastTimestamp": clock.stamp()}
        return store.update(EVENT, earlier | again)
    created = store.create(EVENT, new_event(clock, obj, type, reason, message, component))
    recent[identity] = created["metadata"]["name"]
    if len(recent) > _REMEMBERED:
        del recent[next(iter(recent))]
    return created


def new_event(clock: Clock, obj: Obj, type: str, reason: str, message: str, component: str) -> Obj:
    """The first event of its kind about `obj`."""
    namespace, stamp = obj["metadata"].get("namespace"), clock.stamp()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": _name(obj, clock),
            "namespace": namespace or "default",
        },
        "involvedObject": involved(obj),
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
        "type": type,
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": "",
    }


def scheduler_event(clock: Clock, pod: Obj, type: str, reason: str, message: str) -> Obj:
    """An event in the newer form that the scheduler writes: eventTime and action, no count."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": _name(pod, clock),
            "namespace": pod["metadata"]["namespace"],
        },
        "involvedObject": involved(pod),
        "reason": reason,
        "message": message,
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "type": type,
        "eventTime": rfc3339_micro(clock.now()),
        "action": "Binding" if type == NORMAL else "Scheduling",
        "reportingComponent": "default-scheduler",
        "reportingInstance": "default-scheduler-embedded",
    }


def involved(obj: Obj) -> Obj:
    """The reference to `obj` that an event carries."""
    meta = obj["metadata"]
    fields = {
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
    }
    return {key: value for key, value in fields.items() if value}


def _name(obj: Obj, clock: Clock) -> str:
    """The object's name and the time in nanoseconds: events in order of their names are in time."""
    ticks = int(clock.now().timestamp() * 1_000_000) * 1000 + next(_counter) % 1000
    return f"{obj['metadata']['name']}.{ticks:x}"
