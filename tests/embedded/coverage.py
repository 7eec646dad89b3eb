"""COVERAGE.md: what the emulator supports, approximates and lacks, from the cases that passed.

`VPM_COVERAGE_MD=FILE pytest tests/embedded` writes the file.  A behaviour counts as supported only
when a case that passed asserts a recorded value of it (`@pytest.mark.covers(..., recording=...)`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
    "authorization": "no RBAC: the kubeconfig's user and members of system:masters may do all, "
    "others read discovery only; Role objects are stored and mean nothing",
    "lists in pages": "later pages show objects as they are now, not as of the first page",
    "list items": "items of built-in kinds carry apiVersion and kind, which the real server omits",
    "managedFields": "kept for writes of clients; writes of controllers leave no entry",
    "strategic merge patch": "merge keys by field name, for the kinds that are served",
    "OpenAPI": "v3 with fields and types but without prose; v2 is an empty document",
    "kubectl explain": "fields and types without descriptions",
    "CRDs": "structural schemas (types, required, enum, bounds, pattern); no conversion between "
    "versions, no CEL rules, no defaults from the schema",
    "garbage collection": "dependents go in the same moment as their owner",
    "pods' Service addresses": "clusterIPs are answered inside pods only",
    "node": "one Node object; its status does not change while the cluster runs",
    "Table": "custom columns of built-in kinds that no recording shows are Name and Age",
    "protobuf": "request bodies only; answers are JSON, which typed Go clients accept",
}
ABSENT = {
    "port-forward, attach, cp's tar stream over SPDY": "400 or 404; use exec over WebSocket",
    "rollout, scale, edit of scale": "no scale subresource: 404",
    "eviction, binding, ephemeralcontainers": "404",
    "webhooks of one's own": "stored, never called",
    "quotas, limit ranges, network policies, pod disruption budgets": "stored, never enforced",
    "Ingress, HorizontalPodAutoscaler, DaemonSet, StatefulSet": "stored, nothing acts on them",
    "persistent volumes": "stored, nothing is provisioned",
    "metrics API": "not served, as on the recorded cluster",
    "groups": "apiregistration.k8s.io, certificates.k8s.io, events.k8s.io, "
    "flowcontrol.apiserver.k8s.io, node.k8s.io, autoscaling/v1: 404 page not found",
}


def markdown(behaviours: Iterable[Behaviour]) -> str:
    """The whole file."""
    found = sorted(behaviours, key=lambda b: (b.area, b.what, b.case))
    supported = [b for b in found if b.recording]
    asserted = [b for b in found if not b.recording]
    lines = [
        "# Coverage of the embedded cluster",
        "",
        "Written by a test run (`make embedded-coverage`); do not edit.  *Supported* means that a",
        "case which passed asserts a value recorded on a real cluster.",
        "",
        "## Kinds",
        "",
        "| kind | group and version | verbs | subresources |",
        "|---|---|---|---|",
        *(_kind_row(kind) for kind in BUILT_IN),
        "",
        "Any other kind is served once its CRD is applied.",
        "",
        "## Supported",
        "",
        "| area | behaviour | recording | case |",
        "|---|---|---|---|",
        *(f"| {b.area} | {b.what} | {b.recording} | `{b.case}` |" for b in supported),
        "",
        "## Asserted against upstream's documentation, without a recording",
        "",
        "| area | behaviour | case |",
        "|---|---|---|",
        *(f"| {b.area} | {b.what} | `{b.case}` |" for b in asserted),
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


def _kind_row(kind: Kind) -> str:
    subresources = [*(["status"] if kind.status else []), *kind.subresources]
    return (
        f"| {kind.kind} | {kind.api_version} | {', '.join(kind.verbs)} | "
        f"{', '.join(subresources) or '-'} |"
    )
