"""Events: what components tell about an object, as `kubectl describe` shows it.

A repeated event raises the count of the first one, as Kubernetes' recorder does.
"""

import hashlib

from infra.embedded.clock import Clock, rfc3339_micro
from infra.embedded.kinds import EVENT
from infra.embedded.store import Obj, Store

NORMAL, WARNING = "Normal", "Warning"


def record(
    store: Store, clock: Clock, obj: Obj, type: str, reason: str, message: str, component: str
) -> Obj:
    """Record an event about `obj`; one that is equal to an earlier one only raises its count."""
    event = new_event(clock, obj, type, reason, message, component)
    meta = event["metadata"]
    earlier = store.find(EVENT, meta["namespace"], meta["name"])
    if earlier is None:
        return store.create(EVENT, event)
    again = {"count": earlier.get("count", 1) + 1, "lastTimestamp": clock.stamp()}
    return store.update(EVENT, earlier | again)


def new_event(clock: Clock, obj: Obj, type: str, reason: str, message: str, component: str) -> Obj:
    """The first event of its kind about `obj`."""
    namespace, stamp = obj["metadata"].get("namespace"), clock.stamp()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": _name(obj, type, reason, message, component),
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
            "name": _name(pod, type, reason, message),
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


def _name(obj: Obj, *identity: str) -> str:
    """A name that equal events share: the object's, and 16 hexadecimal digits as Kubernetes'."""
    meta = obj["metadata"]
    text = "\0".join((meta.get("uid", ""), *identity))
    return f"{meta['name']}.{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
