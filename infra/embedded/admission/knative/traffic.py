"""Validation of traffic targets.  Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from infra.embedded.admission.knative.problems import (
    Problem,
    disallowed,
    invalid,
    neither,
    out_of_bounds,
    several,
)
from infra.embedded.api.names import DNS1035_RULE

Obj = dict[str, Any]
_DNS1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def not_dns1035(text: str) -> str:
    """What is wrong with a DNS 1035 label, empty when nothing is."""
    problems = []
    if len(text) > 63:
        problems.append("must be no more than 63 characters")
    if not _DNS1035.fullmatch(text):
        problems.append(DNS1035_RULE)
    return f"not a DNS 1035 label: [{' '.join(problems)}]" if problems else ""


def check_traffic(targets: Sequence[Obj], path: str, *, service: bool) -> Iterator[Problem]:
    """Problems of a traffic list; in a Service the configuration may not be named."""
    tags: dict[str, int] = {}
    for index, target in enumerate(targets):
        yield from _check_target(target, f"{path}[{index}]", service=service)
        tag = target.get("tag")
        if not tag:
            continue
        if problem := not_dns1035(tag):
            yield invalid(problem, f"{path}.tag[{index}]")
        if tag in tags:
            paths = (f"{path}[{tags[tag]}].tag", f"{path}[{index}].tag")
            yield Problem(f'Multiple definitions for "{tag}"', paths)
        tags.setdefault(tag, index)
    total = sum(target.get("percent") or 0 for target in targets)
    if total != 100:
        yield Problem(f"Traffic targets sum to {total}, want 100", (path,))


def _check_target(target: Obj, path: str, *, service: bool) -> Iterator[Problem]:
    revision, configuration = target.get("revisionName", ""), target.get("configurationName", "")
    latest = target.get("latestRevision")
    if latest is not None and latest == bool(revision):
        word = str(latest).lower()
        message = f'may not set revisionName "{revision}" when latestRevision is {word}'
        yield Problem(message, (f"{path}.latestRevision",))
    if service and configuration:
        yield disallowed(f"{path}.configurationName")
    elif revision and configuration:
        yield several(f"{path}.configurationName", f"{path}.revisionName")
    elif not service and not revision and not configuration:
        yield neither(f"{path}.configurationName", f"{path}.revisionName")
    percent = target.get("percent")
    if percent is not None and not 0 <= percent <= 100:
        yield out_of_bounds(percent, 0, 100, f"{path}.percent")
    if target.get("url"):
        yield disallowed(f"{path}.url")
