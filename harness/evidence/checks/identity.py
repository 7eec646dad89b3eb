"""Whose evidence it is: one cluster, a commit that exists, a digest, and no placeholder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from harness.core.identity import ClusterIdentity
from harness.evidence.checks.finding import Finding, shown
from harness.evidence.checks.load import LoadedRun
from harness.evidence.ledger import FILE_NAME
from harness.evidence.model import Evidence

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_PLACEHOLDER = re.compile(
    r"<[A-Za-z][\w .-]*>|\{\{.*?\}\}|\$\{\w+\}|\b(?:TBD|TODO|FIXME|PLACEHOLDER|CHANGEME|XXX+)\b"
    r"|YYYY-?MM|\bmock(?:ed)?\b|\bdummy\b",
    re.IGNORECASE,
)
EMULATORS = frozenset({"embedded"})
REAL = frozenset({"kind", "existing"})


def identity_findings(
    run: LoadedRun,
    *,
    providers: frozenset[str],
    commits: Mapping[str, datetime | None] | None,
) -> Iterator[Finding]:
    """Everything wrong with the identities of a run. `commits` is None without a repository."""
    uids = {
        document.evidence.cluster.uid for document in run.documents if document.evidence.cluster
    }
    if run.entry is not None:
        uids.add(run.entry.cluster_uid)
    if len(uids - {""}) > 1:
        found = ", ".join(sorted(uids))
        yield Finding(run.at(FILE_NAME), "cluster_uid", "one cluster in a run", found, "identity")
    for document in run.documents:
        for field, expected, found in _document(document.evidence, run.folder.name, providers):
            yield Finding(run.at(document.path), field, expected, shown(found), "identity")
        for field, expected, found in _commit(document.evidence, commits):
            yield Finding(run.at(document.path), field, expected, shown(found), "identity")


def _document(
    document: Evidence, run_id: str, providers: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    if document.run_id != run_id:
        yield "run_id", run_id, document.run_id
    if document.cluster is not None:
        yield from _cluster(document.cluster, providers)
    elif providers:
        yield "cluster", f"a cluster of {' or '.join(sorted(providers))}", "none"
    gap = any("image digest" in item for item in document.not_checked)
    if document.service is not None and document.service.found:
        if not document.subject.image_digest and not gap:
            yield "subject.image_digest", "a digest, or its absence under not_checked", "neither"
        if document.subject.uid != document.service.uid or not document.subject.uid:
            yield "subject.uid", document.service.uid or "a UID", document.subject.uid
    for field, text in _identifying(document):
        found = _PLACEHOLDER.search(text)
        if found:
            yield field, "a value", f"the placeholder {found[0]}"


def _cluster(cluster: ClusterIdentity, providers: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    if not cluster.uid:
        yield "cluster.uid", "the UID of kube-system", "nothing"
    if cluster.provider in EMULATORS | REAL and cluster.emulator != (cluster.provider in EMULATORS):
        yield "cluster.emulator", f"{cluster.provider in EMULATORS}", f"{cluster.emulator}"
    if providers and cluster.provider not in providers:
        yield "cluster.provider", " or ".join(sorted(providers)), cluster.provider
    if cluster.emulator and providers and not providers & EMULATORS:
        yield "cluster.emulator", "a real cluster", "an emulator"


def _commit(
    document: Evidence, commits: Mapping[str, datetime | None] | None
) -> Iterator[tuple[str, str, str]]:
    commit = document.tool.git_commit
    if not commit:
        if not any(item.startswith("commit") for item in document.not_checked):
            yield "tool.git_commit", "a commit, or its absence under not_checked", "neither"
    elif not _COMMIT.fullmatch(commit):
        yield "tool.git_commit", "a full commit id", commit
    elif commits is None:
        yield "tool.git_commit", "a repository to look the commit up in", "none"
    elif commits.get(commit) is None:
        yield "tool.git_commit", "a commit of the repository", commit


def _identifying(document: Evidence) -> Iterator[tuple[str, str]]:
    """The texts that say whose evidence it is."""
    about = document.subject
    yield "run_id", document.run_id
    yield "captured_at", document.captured_at
    for name in ("namespace", "name", "uid", "revision", "image", "image_digest"):
        yield f"subject.{name}", getattr(about, name)
    if document.cluster is not None:
        for name in ("name", "context", "uid", "server_version", "knative_version"):
            yield f"cluster.{name}", getattr(document.cluster, name)
    for number, seen in enumerate(document.vantages):
        yield f"vantages.{number}.probe.url", seen.probe.url
