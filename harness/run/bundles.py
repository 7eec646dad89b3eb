"""When diagnostics are collected: as soon as a step goes wrong, before anything is mended."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from harness.core.errors import VpmError
from harness.core.observation import ServiceObserved
from harness.core.plan import Plan
from harness.core.record import RunRecord
from harness.run.tools import Diagnoser, EvidenceWriter, Suspect

FOLDER = "diagnostics"
PROVIDER = "provider"
"""Where the driver writes what it knows itself."""
_MOST_SERVICES = 4


class Bundles:
    """Two bundles at most: of the first drill that ended as expected, and of the first step that
    was not accepted."""

    def __init__(self, evidence: EvidenceWriter) -> None:
        self._evidence = evidence
        self._taken: set[bool] = set()

    def take(
        self,
        name: str,
        suspects: Sequence[Suspect],
        *,
        accepted: bool,
        diagnoser: Diagnoser | None,
        driver: Callable[[Path], None],
    ) -> None:
        """Collect a bundle about services, named after a step, unless there is one of its kind.

        What goes wrong with it is told in the bundle itself and never hides a verdict.
        """
        if accepted in self._taken:
            return
        self._taken.add(accepted)

        def collect(folder: Path) -> None:
            try:
                driver(folder / PROVIDER)
            except (VpmError, OSError) as error:
                (folder / "provider.txt").write_text(f"{error}\n", encoding="utf-8")
            if diagnoser is not None:
                diagnoser.collect(suspects, folder)

        self._evidence.adopt_diagnostics(f"{FOLDER}/{len(self._taken)}-{_slug(name)}", collect)

    @property
    def empty(self) -> bool:
        """Whether nothing was collected so far."""
        return not self._taken


def suspects_of(plan: Plan, record: RunRecord, step: str) -> tuple[Suspect, ...]:
    """The service that a step is about, else those of the scenario, as they were last seen."""
    planned = plan.by_id.get(step)
    named = getattr(planned.step.action, "service", "") if planned and planned.step else ""
    names = [named] if named else list(plan.scenario.services)[:_MOST_SERVICES]
    return tuple(_suspect(plan.scenario.services[name].namespace, name, record) for name in names)


def _suspect(namespace: str, name: str, record: RunRecord) -> Suspect:
    addresses = [address for seen in _seen(record) if (seen.namespace, seen.service)
                 == (namespace, name) for address in (seen.url, seen.address)]  # fmt: skip
    hosts = (urlsplit(address).hostname for address in addresses if address)
    return Suspect(namespace, name, tuple(dict.fromkeys(host for host in hosts if host)))


def _seen(record: RunRecord) -> Iterator[ServiceObserved]:
    for step in record.steps.values():
        for observation in step.observations:
            if isinstance(observation, ServiceObserved):
                yield observation


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60] or "step"
