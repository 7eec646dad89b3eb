"""Names in a scenario that refer to each other: steps, needs and services.

They are checked on the plain values, so that a scenario whose types are wrong elsewhere still
gets every wrong reference reported at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.spec.model import ACTION_KEYS, Step
from harness.spec.problem import Problem
from harness.spec.suggest import suggest
from harness.spec.yaml_source import Path, Plain, Source


def reference_problems(source: Source) -> Iterator[Problem]:
    """Every step without exactly one action, and every name that refers to nothing."""
    root = source.value if isinstance(source.value, dict) else {}
    services, steps = root.get("services"), root.get("steps")
    declared = list(services) if isinstance(services, dict) else []
    if not isinstance(steps, list):
        return
    names = [step.get("name") if isinstance(step, dict) else None for step in steps]
    for index, step in enumerate(steps):
        if isinstance(step, dict):
            at: Path = ("steps", index)
            yield from _actions(source, at, step)
            yield from _name(source, at, names, index)
            yield from _needs(source, at, step.get("needs"), names, index)
            yield from _services(source, at, step, declared)


def _actions(source: Source, at: Path, step: dict[str, Plain]) -> Iterator[Problem]:
    written = [key for key in ACTION_KEYS if key in step]
    unknown = set(step) - set(Step.model_fields)
    if len(written) != 1 and not (unknown and not written):
        found = f"has {' and '.join(written)}" if written else "has no action"
        hint = f"write exactly one of {', '.join(ACTION_KEYS)}"
        yield source.problem(at, f"the step {found}", hint)


def _name(source: Source, at: Path, names: list[Plain], index: int) -> Iterator[Problem]:
    if isinstance(names[index], str) and names[index] in names[:index]:
        yield source.problem((*at, "name"), f"the step {names[index]!r} exists already")


def _needs(
    source: Source, at: Path, needs: Plain, names: list[Plain], index: int
) -> Iterator[Problem]:
    earlier = [name for name in names[:index] if isinstance(name, str)]
    for number, need in enumerate(needs if isinstance(needs, list) else ()):
        if isinstance(need, str) and need not in earlier:
            where = (*at, "needs", number)
            if need in names:
                yield source.problem(where, f"the step {need!r} does not come before this one")
            else:
                hint = suggest(need, earlier)
                yield source.problem(where, f"the step {need!r} does not exist", hint)


def _services(
    source: Source, at: Path, step: dict[str, Plain], declared: Collection[str]
) -> Iterator[Problem]:
    for key in ACTION_KEYS:
        action = step.get(key)
        service = action.get("service") if isinstance(action, dict) else None
        if isinstance(service, str) and service not in declared:
            message = f"the service {service!r} is not declared under services"
            yield source.problem((*at, key, "service"), message, suggest(service, declared))
