"""The kinds between Knative's own parts, which people may write, too.  Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.embedded.admission.attempt import Obj
from infra.embedded.admission.knative.problems import Problem, missing
from infra.embedded.api import shapes
from infra.embedded.api.fields import mistakes
from infra.embedded.api.nulls import settle
from infra.embedded.kinds import KINGRESS, METRIC, PODAUTOSCALER, SKS, Kind

# The Go types of their specs.
_SPECS: Mapping[Kind, str] = {
    KINGRESS: "v1alpha1.IngressSpec",
    METRIC: "v1alpha1.MetricSpec",
    PODAUTOSCALER: "v1alpha1.PodAutoscalerSpec",
    SKS: "v1alpha1.ServerlessServiceSpec",
}
INNER = frozenset(_SPECS)
# What no part can do its work without, as paths; `[]` stands for each item of a list.
_REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    KINGRESS: (
        "spec.rules",
        "spec.rules[].hosts",
        "spec.rules[].http.paths",
        "spec.rules[].http.paths[].splits",
        "spec.rules[].http.paths[].splits[].serviceName",
        "spec.rules[].http.paths[].splits[].servicePort",
    ),
    METRIC: ("spec",),
    PODAUTOSCALER: ("spec.scaleTargetRef.name",),
    SKS: ("spec.mode", "spec.objectRef.name"),
}


def decode(kind: Kind, obj: Obj) -> str | None:
    """Read the spec as Go does, in place; returns what is of a wrong type."""
    shape = shapes.of_name(_SPECS.get(kind, ""))
    if shape is None:
        return None
    mistake = next(mistakes(shape, obj.get("spec"), f"{kind.kind}.spec"), None)
    if mistake is None:
        settle(shape, obj.get("spec"))
    return mistake


def check(kind: Kind, obj: Obj) -> Iterator[Problem]:
    """The fields that are missing from an object whose types are right."""
    absent = (_absent(obj, path.split("."), "") for path in _REQUIRED.get(kind, ()))
    yield from (missing(where) for found in absent for where in found)


def _absent(value: Any, steps: list[str], place: str) -> Iterator[str]:
    """The places at which a path cannot be followed, once for each item of a list."""
    if not steps:
        return
    name, rest = steps[0].removesuffix("[]"), steps[1:]
    inner, where = value.get(name), f"{place}.{name}" if place else name
    if not inner:
        yield where
    elif steps[0].endswith("[]"):
        for index, item in enumerate(inner):
            yield from _absent(item, rest, f"{where}[{index}]")
    else:
        yield from _absent(inner, rest, where)
