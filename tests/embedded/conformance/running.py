"""Runs areas: each against a new cluster of its own, or one by one against a given cluster.

Clusters of their own keep an area from seeing what another one left, and let areas run side by
side: most of their time they wait for something.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from harness.timing.wait import WaitTimeout
from tests.embedded.conformance import emptying
from tests.embedded.conformance.clusters import Clusters
from tests.embedded.conformance.guard import Guarded
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.support.cluster import Cluster, existing

_KEPT = {"default", "kube-node-lease", "kube-public", "kube-system", "knative-serving",
         "kourier-system"}  # fmt: skip
PROBLEMS = (  # of a recording in a form of its own, and of a cluster that does not answer
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OSError,
    RuntimeError,
    AssertionError,
    subprocess.SubprocessError,
    httpx.HTTPError,
    WaitTimeout,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run; None for the scale or the pace means what suits each area."""

    root: Path
    kubeconfig: Path | None = None
    time_scale: float | None = None
    pace: float | None = None
    jobs: int = 4


@dataclass(frozen=True, slots=True)
class Result:
    """The cases of an area, the scale of its cluster's clock and the real seconds it took."""

    area: Area
    cases: tuple[Case, ...]
    scale: float
    took: float


def results(areas: Sequence[Area], plan: Plan) -> Iterator[Result]:
    """The result of each area, as soon as it is there."""
    if plan.kubeconfig is not None:
        yield from _one_by_one(areas, plan, existing(str(plan.kubeconfig)))
        return
    clusters = Clusters()
    pool = ThreadPoolExecutor(plan.jobs)
    with tempfile.TemporaryDirectory() as folder:
        waiting = [
            pool.submit(_alone, area, plan, Path(folder) / str(number), clusters)
            for number, area in enumerate(sorted(areas, key=lambda area: -area.seconds))
        ]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            clusters.end()


def _one_by_one(areas: Sequence[Area], plan: Plan, cluster: Cluster) -> Iterator[Result]:
    before = _namespaces(cluster)
    for area in areas:
        yield _result(area, _replay(cluster, plan, 1.0))
        _tidy(cluster, before)


def _alone(area: Area, plan: Plan, folder: Path, clusters: Clusters) -> Result:
    """Replay an area in a cluster that is made for it."""
    scale = plan.time_scale or area.scale
    try:
        with clusters.one(folder, f"conformance-{folder.name}", "--time-scale", str(scale)) as own:
            result = _result(area, _replay(own, plan, scale))
            return replace(result, cases=(*result.cases, *_ended(own, folder)))
    except (RuntimeError, OSError) as error:
        return Result(area, (Case("the cluster", (str(error),)),), scale, 0.0)


def _replay(cluster: Cluster, plan: Plan, pace: float) -> Replay:
    """What an area works with: a cluster that recordings cannot misuse."""
    return Replay(Guarded.of(cluster, plan.root), plan.root, plan.pace or pace)


def _ended(cluster: Cluster, folder: Path) -> Iterator[Case]:
    """A difference when the cluster has not survived the replay."""
    code = cluster.process.poll() if cluster.process else None
    if code is not None:
        log = folder.with_name(f"{folder.name}.log").read_text(errors="replace")
        yield Case("the cluster", (f"ended with exit code {code}: {log[-600:]}",))


def _result(area: Area, replay: Replay) -> Result:
    begin = time.monotonic()
    cases = tuple(_cases(area, replay))
    return Result(area, cases, replay.scale, time.monotonic() - begin)


def _cases(area: Area, replay: Replay) -> Iterator[Case]:
    """The cases of an area; a recording in a form of its own is a difference, not the end."""
    try:
        yield from area.replay(replay)
    except PROBLEMS as error:
        yield Case("the rest", (f"cannot be replayed: {type(error).__name__}: {error}",))


def _namespaces(cluster: Cluster) -> set[str]:
    done = cluster.kubectl("get", "namespaces", "-o", "name")
    return {line.partition("/")[2] for line in done.out.splitlines()}


def _tidy(cluster: Cluster, before: set[str]) -> None:
    """Remove what an area made, so that the next one does not find it in its lists."""
    made = sorted(_namespaces(cluster) - before - _KEPT)
    for namespace in ("default", *made):
        emptying.empty(cluster, namespace)
    for namespace in made:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
