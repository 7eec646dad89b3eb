"""The wiring: from what was chosen to drivers, tools, stores and a run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.core.judge import judge_ended
from harness.core.observation import Artefact, ProbeObserved
from harness.core.plan import Plan, make_plan
from harness.core.record import RunRecord
from harness.core.verdict import RunVerdict
from harness.evidence import new_run_id
from harness.evidence.checks.load import load_documents
from harness.evidence.outputs import write_outputs
from harness.evidence.store import EvidenceStore, RunFolder
from harness.evidence.write import write_evidence
from harness.options import RunOptions
from harness.ports import Cluster
from harness.provider import ChosenCluster, Progress, silent
from harness.run.engine import Run
from harness.run.journal import JOURNAL, read_record
from harness.run.load import find_root
from harness.run.tools import EvidenceCopy, Settings, Tools
from harness.spec.model import ClusterSpec
from harness.timing.clock import SystemClock
from harness.toolbox import Toolbox, stamp_contract
from harness.toolinfo import tool_info
from probes.prober import Prober
from probes.web import WebPlaces

REPORTS = "reports"


class RunEvidence:
    """Writes one run's evidence; implements EvidenceWriter."""

    def __init__(self, store: EvidenceStore, folder: RunFolder, language: str) -> None:
        self._store = store
        self._folder = folder
        self._language = language

    def write_run(
        self, record: RunRecord, verdict: RunVerdict, copies: Sequence[EvidenceCopy]
    ) -> Sequence[Artefact]:
        """Every document of the run, its ledger entry and the copies that were asked for."""
        wanted = {(copy.service, copy.claim): copy.path for copy in copies}
        written = write_evidence(
            self._store, self._folder, record, verdict, language=self._language, copies=wanted
        )
        write_outputs(os.environ, load_documents(self._folder.path))
        return written

    def append_history(
        self, name: str, run_id: str, probes: Sequence[ProbeObserved]
    ) -> Sequence[str]:
        """Add this run's counts to a history; returns the trend as lines."""
        return self._store.append_history(name, run_id, probes)

    def adopt_diagnostics(self, name: str, collect: Callable[[Path], None]) -> None:
        """Collect into a private folder first: only what was redacted reaches the run folder."""
        private = Path(tempfile.mkdtemp(prefix="vpm-diagnostics-"))
        try:
            collect(private)
            self._folder.adopt(private, name)
        finally:
            shutil.rmtree(private, ignore_errors=True)


def open_run(plan: Plan, path: Path, options: RunOptions, *, progress: Progress = silent) -> Run:
    """Open a run of a plan; its cluster is opened by its first step."""
    clock = SystemClock()
    root = find_root(path.parent)
    store = EvidenceStore(options.reports or root / REPORTS, clock)
    run_id = new_run_id(plan.scenario.name, clock)
    folder = store.open_run(run_id)
    language = options.lang or plan.scenario.language
    settings = Settings(
        root=root,
        reports=store.reports,
        scenario_folder=path.parent,
        clock=clock,
        tool=tool_info(root),
        cluster=ChosenCluster(plan.scenario.cluster, options, progress),
        tools=Toolbox(root=root, reports=store.reports, clock=clock, options=options),
        evidence=RunEvidence(store, folder, language),
        language=language,
        stamp=stamp_contract,
    )
    return Run(plan, settings, folder, run_id)


@contextmanager
def open_cluster(options: RunOptions, *, contexts: Sequence[str] = ()) -> Iterator[Cluster]:
    """A cluster chosen as for scenarios; `contexts` are those that may be used (patterns), none
    allow any that is named."""
    with ChosenCluster(ClusterSpec(contexts=tuple(contexts)), options).open() as cluster:
        yield cluster


def tools_for(cluster: Cluster, options: RunOptions, *, root: Path, folder: Path) -> Tools:
    """The tools for an open cluster; what they write goes to `folder`."""
    clock = SystemClock()
    make = Toolbox(root=root, reports=folder / REPORTS, clock=clock, options=options)
    return make(cluster, RunFolder(folder))


def url_prober(url: str, folder: Path) -> Prober:
    """A prober that reaches for one URL from this machine, and needs no cluster."""
    return Prober(places=WebPlaces(url), store=RunFolder(folder), clock=SystemClock())


def judge_folder(folder: Path) -> tuple[RunVerdict, RunRecord]:
    """Judge a run folder from its journal alone.

    Errors:
        UsageError: there is no readable journal.
    """
    record = read_record(folder / JOURNAL)
    plan = make_plan(record.opened.plan, record.opened.source)
    return judge_ended(plan, record), record
