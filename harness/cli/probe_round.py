"""One round of probes: what was seen, what it means, and the same as JSON."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.cli.missing import NoKService
from harness.core.conditions import ready_claim
from harness.core.diagnose import diagnose, diagnose_url, reachable_claim, sli_claims
from harness.core.errors import UsageError
from harness.core.judge import service_claim
from harness.core.observation import ProbeObserved, ServiceObserved
from harness.core.redact import redact
from harness.core.verdict import Claim
from harness.run.tools import Prober, Tools
from harness.spec.model import LoadAction, ProbeAction

_SAMPLE = "sample"


@dataclass(frozen=True, slots=True)
class Round:
    """A service, its probes from all vantages, and the claims; `claim` is the one about it all.

    `service` is None where a plain URL was probed.
    `samples` are the engine's own records by vantage, as docs/probe-agent.md describes them.
    `logs` are the texts behind failed attempts, by their paths: their files go with the round.
    """

    service: ServiceObserved | None
    probes: tuple[ProbeObserved, ...]
    claim: Claim
    details: tuple[Claim, ...]
    samples: Mapping[str, tuple[Mapping[str, Any], ...]]
    logs: Mapping[str, str] = field(default_factory=dict)


def probe_round(tools: Tools, action: ProbeAction, *, namespace: str, folder: Path) -> Round:
    """Look at READY, probe from every vantage, and judge.

    Errors:
        UsageError: there is no such KService, or it has no URL yet.
        ClusterError: the API server cannot be reached.
    """
    service = read_target(tools, action, namespace=namespace)
    probes = tuple(tools.prober.probe(service, action))
    claim, details = judge_probes(service, probes, action)
    return _round(service, probes, (claim, details), folder)


def url_round(prober: Prober, url: str, action: ProbeAction, *, folder: Path) -> Round:
    """Probe a URL from this machine, and judge what can be judged without a control plane.

    The prober knows where to send to; what is shown of the URL has no secrets in its query.
    """
    shown = redact(url)
    target = ServiceObserved(service=shown, namespace="", found=False, at="", url=shown)
    probes = tuple(prober.probe(target, action))
    details = tuple(
        claim
        for probe in probes
        for claim in (
            reachable_claim(probe, minimum=action.minimum, objectives=action.objectives),
            *sli_claims(probe, action.objectives),
        )
    )
    return _round(None, probes, (diagnose_url(probes[0], details), details), folder)


def _round(
    service: ServiceObserved | None,
    probes: tuple[ProbeObserved, ...],
    judged: tuple[Claim, tuple[Claim, ...]],
    folder: Path,
) -> Round:
    """A round with its files read: they live only as long as `folder`."""
    samples = {probe.vantage: _samples(folder, probe) for probe in probes}
    kept = {log.path: folder / log.path for probe in probes for log in probe.logs}
    logs = {path: file.read_text(errors="replace") for path, file in kept.items()}
    return Round(service, probes, *judged, samples, logs)


def read_target(
    tools: Tools, action: ProbeAction | LoadAction, *, namespace: str
) -> ServiceObserved:
    """The KService that is to be probed or loaded.

    Errors:
        UsageError: there is no such KService, or it has no URL yet.
    """
    service = tools.services.read(namespace, action.service)
    if not service.found:
        raise NoKService(namespace, action.service)
    if not service.url:
        raise UsageError(
            f"the KService {namespace}/{action.service} has no URL yet",
            mend=f"kubectl -n {namespace} describe ksvc {action.service}",
        )
    return service


def judge_probes(
    service: ServiceObserved, probes: tuple[ProbeObserved, ...], action: ProbeAction
) -> tuple[Claim, tuple[Claim, ...]]:
    """The claim about the service as a whole, and the claims that it stands on."""
    asked, bar = action.objectives, action.minimum
    details = (
        ready_claim(service),
        *(reachable_claim(probe, minimum=bar, objectives=asked) for probe in probes),
        *(claim for probe in probes for claim in sli_claims(probe, asked)),
    )
    diagnosis = diagnose(ready=service, probes=probes, objectives=asked, minimum=bar)
    return service_claim(diagnosis, details), details


def round_as_json(seen: Round) -> dict[str, Any]:
    """A round for a program: verdict, claims, summaries and every sample."""
    return {
        "verdict": seen.claim.verdict.value,
        "claim": asdict(seen.claim),
        "details": [asdict(claim) for claim in seen.details],
        "service": asdict(seen.service) if seen.service else None,
        "probes": [
            {**asdict(probe), "status_classes": probe.status_classes} for probe in seen.probes
        ],
        "samples": {vantage: list(samples) for vantage, samples in seen.samples.items()},
        "logs": dict(seen.logs),
    }


def _samples(folder: Path, probe: ProbeObserved) -> tuple[Mapping[str, Any], ...]:
    if probe.samples is None:
        return ()
    file = folder / probe.samples.path
    content = file.read_bytes()
    lines = (gzip.decompress(content) if file.suffix == ".gz" else content).splitlines()
    records = (json.loads(line) for line in lines)
    return tuple(record for record in records if record["record"] == _SAMPLE)
