"""COVERAGE.md: what the emulator supports, approximates and lacks, from the cases that passed.

`VPM_COVERAGE=FOLDER pytest tests/embedded` notes the cases that passed, in any number of runs and
workers; `python -m tests.embedded.coverage FOLDER FILE` writes the file from the notes.  A
behaviour counts as supported only when a case that passed asserts a recorded value of it
(`@pytest.mark.covers(..., recording=...)`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from infra.embedded import kinds
from infra.embedded.kinds import BUILT_IN, Kind


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One behaviour that a case covers."""

    area: str
    what: str
    case: str
    recording: str = ""  # where the expected value was recorded


# What no case can show: how things are done differently, and what is not there.
APPROXIMATED = {
    "authorization": "RBAC for impersonated users; whether somebody grants more than they have is "
    "not checked, and aggregation rules are not followed",
    "lists in pages": "of one moment while the last 4096 changes reach back to it, then 410",
    "seldom used kinds": "the fields of kinds that nothing acts on are stored as they come",
    "discovery": "as recorded, plus the emulator's own group emulator.vpm.dev; the build facts of "
    "`version` (commit, compiler, date) are empty",
    "managedFields": "kept for writes of clients; writes of controllers leave no entry",
    "strategic merge patch": "merge keys by field name, for the kinds that are served",
    "pods of Knative's own components": "their containers hold parts of the server's own process "
    "and its Envoy: Ready, logs, deletion, restarts and replicas are real, and what a component "
    "does is left undone while its Deployment has no replicas; their images are "
    "vpm-harness/embedded/..., their templates have no environment, volumes and hooks, exec is "
    "refused, and of their ports only 8080, 8081 and 8443 of the gateway's pod answer (inside "
    "pods, and on this machine where the pods' network is its own); several replicas of the "
    "gateway are one Envoy",
    "OpenAPI": "v3 with fields and types but without prose; v2 is an empty document",
    "kubectl explain": "fields and types without descriptions",
    "CRDs": "structural schemas (types, required, enum, bounds, pattern, lengths, defaults, "
    "pruning); rules in CEL and conversion webhooks are warned about and not run; no formats, no "
    "anyOf, oneOf, allOf, not",
    "garbage collection": "dependents go in the same moment as their owner",
    "pods' Service addresses": "clusterIPs are answered inside pods only",
    "requests without a body": "other methods than GET and HEAD reach the app with Content-Length: "
    "0, which Envoy adds and queue-proxy would take away",
    "limits": "limits.memory by looking at each container's processes up to 20 times a second "
    "(OOMKilled, 137), not by a cgroup; other limits are not enforced",
    "what a process sees of its container": "its own mounts, hostname, user, network and an empty "
    "/dev/stdin; but this machine's /sys and cgroups (no file there shows the container's limits), "
    "its /dev/console, its /var/log with its mode, and the processes' PATH begins with Python's",
    "Ingresses that people write": "to plain Services and to ExternalNames of the gateway; when a "
    "Service or Secret of theirs goes away they are not served, while kourier keeps what it had",
    "node": "one Node object; of its status only the heartbeat changes while the cluster runs",
    "Table": "custom columns of built-in kinds that no recording shows are Name and Age",
    "protobuf": "request bodies only; answers are JSON, which typed Go clients accept",
}
ABSENT = {
    "port-forward, attach, cp's tar stream over SPDY": "400 or 404; use exec over WebSocket",
    "scale of StatefulSets and ReplicationControllers": "no scale subresource: 404",
    "eviction, binding, ephemeralcontainers": "404",
    "webhooks of one's own": "stored, never called",
    "quotas, limit ranges, network policies, pod disruption budgets": "stored, never enforced",
    "Ingress, HorizontalPodAutoscaler, DaemonSet, StatefulSet": "stored, nothing acts on them",
    "persistent volumes": "stored, nothing is provisioned",
    "metrics API": "not served, as on the recorded cluster",
    "metrics and identity of the API server": "/metrics, /.well-known/openid-configuration and "
    "/openid/v1/jwks are 404",
    "ports of queue-proxy": "8012, 8013, 8022, 8112, 9090 and 9091 of a pod refuse connections: "
    "the node and the gateway do its work, and the pod's Services lead to the app",
    "Bindings": "405; pods are bound by the scheduler",
    "DomainMapping": "stored; no host is routed, no status is written",
    "autoscaling class hpa": "the PodAutoscaler is left alone, so its revision never gets ready",
    "dry run of pods by annotation": "features.knative.dev/podspec-dryrun is accepted and not run; "
    "what the pod's own validation would refuse fails the Deployment later",
    "tracing": "no X-B3-* headers are added, as on the recorded cluster",
}


# Kinds that controllers, the node or the API itself act on; the others are stored.
_ACTED_ON = frozenset(
    [kinds.CONFIGMAP, kinds.ENDPOINTS, kinds.EVENT, kinds.NAMESPACE, kinds.NODE, kinds.POD,
     kinds.SECRET, kinds.SERVICE, kinds.SERVICEACCOUNT, kinds.DEPLOYMENT, kinds.REPLICASET,
     kinds.CRONJOB, kinds.JOB, kinds.ENDPOINTSLICE, kinds.CLUSTERROLE, kinds.CLUSTERROLEBINDING,
     kinds.ROLE, kinds.ROLEBINDING, kinds.CRD, kinds.KSERVICE, kinds.CONFIGURATION,
     kinds.REVISION, kinds.ROUTE, kinds.METRIC, kinds.PODAUTOSCALER, kinds.IMAGE, kinds.KINGRESS,
     kinds.SKS, kinds.EVENT_V1]
)  # fmt: skip


def markdown(behaviours: Iterable[Behaviour]) -> str:
    """The whole file."""
    found = sorted(set(behaviours), key=lambda b: (b.area, b.what, b.recording, b.case))
    supported = [b for b in found if b.recording]
    asserted = [b for b in found if not b.recording]
    lines = [
        "# Coverage of the embedded cluster",
        "",
        "Written from a test run (`make coverage`); do not edit.  *Supported* means that a case",
        "which passed asserts a value recorded on a real cluster.",
        "",
        "## Kinds",
        "",
        "| kind | group and version | verbs | subresources | acted on |",
        "|---|---|---|---|---|",
        *(_kind_row(kind) for kind in BUILT_IN),
        "",
        "Any other kind is served once its CRD is applied.  Kinds that are not acted on are",
        "approximated: objects are stored, listed and watched, and nothing follows from them.",
        "",
        "## Supported",
        "",
        "| area | behaviour | recording | case |",
        "|---|---|---|---|",
        *_rows(supported, with_recording=True),
        "",
        "## Asserted against upstream's documentation, without a recording",
        "",
        "| area | behaviour | case |",
        "|---|---|---|",
        *_rows(asserted, with_recording=False),
        "",
        "## Approximated",
        "",
        *(f"- **{what}**: {how}" for what, how in APPROXIMATED.items()),
        "",
        "## Absent",
        "",
        *(f"- **{what}**: {answer}" for what, answer in ABSENT.items()),
        "",
    ]
    return "\n".join(lines)


def _rows(behaviours: Sequence[Behaviour], *, with_recording: bool) -> Iterable[str]:
    """A row for each behaviour and the test that shows it, with the number of its cases."""

    def test(behaviour: Behaviour) -> tuple[str, str, str, str]:
        function = behaviour.case.partition("[")[0]
        return behaviour.area, behaviour.what, behaviour.recording, function

    for (area, what, recording, function), group in groupby(sorted(behaviours, key=test), test):
        count = sum(1 for _ in group)
        shown = f"`{function}`" + (f" ({count} cases)" if count > 1 else "")
        parts = [area, what, *([recording] if with_recording else []), shown]
        yield f"| {' | '.join(parts)} |"


def _kind_row(kind: Kind) -> str:
    subresources = [*(["status"] if kind.status else []), *kind.subresources]
    acted = "yes" if kind in _ACTED_ON or kind.verbs == ("create",) else "no"
    return (
        f"| {kind.kind} | {kind.api_version} | {', '.join(kind.verbs)} | "
        f"{', '.join(subresources) or '-'} | {acted} |"
    )


def note(folder: Path, worker: str, behaviours: Iterable[Behaviour]) -> None:
    """Keep what one process has seen."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps([asdict(behaviour) for behaviour in behaviours])
    (folder / f"{worker}.json").write_text(content)


def main(argv: Sequence[str] | None = None) -> int:
    """Write COVERAGE.md from the notes of one or more test runs; 2 when there are none."""
    parser = argparse.ArgumentParser(prog="python -m tests.embedded.coverage")
    parser.add_argument("folder", type=Path, help="what VPM_COVERAGE named")
    parser.add_argument("file", type=Path, help="the file to write")
    arguments = parser.parse_args(argv)
    notes = sorted(arguments.folder.glob("*.json"))
    if not notes:
        sys.stderr.write(f"error: no notes in {arguments.folder}: run the cases first\n")
        return 2
    behaviours = [Behaviour(**entry) for path in notes for entry in json.loads(path.read_text())]
    arguments.file.write_text(markdown(behaviours))
    return 0


if __name__ == "__main__":
    sys.exit(main())
