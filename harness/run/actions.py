"""What each action of a scenario does: call one tool, and report what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.observation import (
    ErrorObserved,
    FaultObserved,
    FilesObserved,
    Observation,
    ProbeObserved,
    SkippedObserved,
)
from harness.core.plan import Plan
from harness.core.record import RunRecord
from harness.core.verdict import RunVerdict
from harness.ports import Fault
from harness.run.tools import EvidenceCopy, Settings, Tools
from harness.spec.model import (
    ApplyAction,
    ContractAction,
    EvidenceAction,
    FaultAction,
    LoadAction,
    ProbeAction,
    ReadyAction,
)


@dataclass(slots=True)
class Stage:
    """Where actions play: the plan, the tools for the open cluster, and the run so far."""

    plan: Plan
    settings: Settings
    tools: Tools
    owned: bool
    domain: str
    stamp: Callable[[Path], Path]
    record: Callable[[], RunRecord]
    verdict: Callable[[], RunVerdict]
    faults: dict[str, Fault]
    copies: list[EvidenceCopy]

    def namespace(self, service: str) -> str:
        """The namespace of a service that the scenario declares."""
        return self.plan.scenario.services[service].namespace


def perform(stage: Stage, action: object) -> Iterator[Observation]:
    """Do one action; every observation is yielded as soon as it is made.

    Errors:
        VpmError: the action could not be done; the engine records it.
    """
    match action:
        case ApplyAction():
            yield from _apply(stage, action)
        case ContractAction():
            yield from _contract(stage, action)
        case ReadyAction():
            namespace = stage.namespace(action.service)
            yield stage.tools.services.wait_ready(namespace, action.service, timeout=action.timeout)
        case ProbeAction():
            yield from _probe(stage, action)
        case LoadAction():
            yield from _load(stage, action)
        case EvidenceAction():
            yield _evidence(stage, action)
        case FaultAction():
            yield _fault(stage, action)
        case _:
            raise UsageError(f"there is no such action: {type(action).__name__}")


def _apply(stage: Stage, action: ApplyAction) -> Iterator[Observation]:
    if not stage.owned:
        yield ErrorObserved(
            "apply works only on clusters that the harness made",
            mend="use a contract step: the runner changes other clusters only with approval",
        )
        return
    own = stage.plan.scenario.services[action.service].manifest
    manifest = stage.settings.root / (action.manifest or own)
    result = stage.tools.applier.apply(manifest, timeout=action.timeout)
    if result.exit_code != 0:
        yield ErrorObserved(f"kubectl apply -f {manifest}: {result.stderr.strip()}")
        return
    yield stage.tools.services.read(stage.namespace(action.service), action.service)


def _contract(stage: Stage, action: ContractAction) -> Iterator[Observation]:
    template = stage.settings.scenario_folder / action.file
    contract = stage.stamp(template)
    runner = stage.tools.contracts
    seen = runner.preview(contract) if action.mode == "dry" else runner.execute(contract)
    yield replace(seen, contract=action.file)


def _probe(stage: Stage, action: ProbeAction) -> Iterator[Observation]:
    service = stage.tools.services.read(stage.namespace(action.service), action.service)
    yield service
    if service.found and not service.url:
        yield ErrorObserved(
            f"the KService {service.namespace}/{service.service} has no URL to probe",
            mend="check its conditions",
        )
        return
    if not service.found:
        # Whoever still uses its name deserves to know what they meet there.
        host = f"{service.service}.{service.namespace}.{stage.domain}"
        service = replace(service, url=f"http://{host}")
    probes: Sequence[ProbeObserved]
    if action.from_zero is None:
        probes = stage.tools.prober.probe(service, action)
    elif stage.tools.cold is None:
        yield SkippedObserved("this cluster cannot count pods", capability="scale-to-zero")
        return
    else:
        cold, probe = stage.tools.cold.start(service, action)
        yield cold
        probes = [probe]
    yield from probes
    if action.history:
        yield _history(stage, action.history, probes)


def _history(stage: Stage, name: str, probes: Sequence[ProbeObserved]) -> Observation:
    run_id = stage.record().opened.run_id
    notes = stage.settings.evidence.append_history(name, run_id, probes)
    return FilesObserved(files=(), notes=tuple(notes))


def _load(stage: Stage, action: LoadAction) -> Iterator[Observation]:
    service = stage.tools.services.read(stage.namespace(action.service), action.service)
    yield service
    if not service.url:
        yield ErrorObserved(f"the KService {action.service} has no URL to load")
        return
    yield stage.tools.load.load(service, action)


def _evidence(stage: Stage, action: EvidenceAction) -> Observation:
    subject = f"{stage.namespace(action.service)}/{action.service}"
    name = "reachable" if action.claim == "sli" else action.claim
    claims = [c for c in stage.verdict().services if c.subject == subject and c.name == name]
    if not claims:
        return ErrorObserved(
            f"nothing was seen that evidence of {subject} ({action.claim}) could be made from",
            mend="add the step that checks it to this step's needs",
        )
    stage.copies.append(EvidenceCopy(subject, action.claim, action.copy_to))
    root, copy = stage.settings.root, stage.settings.reports / f"{action.copy_to}.md"
    shown = copy.relative_to(root) if copy.is_relative_to(root) else copy
    return FilesObserved(files=(), notes=(str(shown),))


def _fault(stage: Stage, action: FaultAction) -> Observation:
    if action.state == "absent":
        fault = stage.faults.pop(action.type, None)
        if fault is None:
            return ErrorObserved(f"the fault {action.type!r} was not present")
        fault.close()
    else:
        if stage.tools.faults is None:
            return SkippedObserved("this cluster cannot inject faults", capability="faults")
        stage.faults[action.type] = stage.tools.faults.inject(action.type, action.parameters)
    return FaultObserved(type=action.type, state=action.state)
