"""Clusters of areas: none is left, and none begins once the replay is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.conformance.clusters import Clusters
from tests.embedded.conformance.outcome import Area, Case, Replay
from tests.embedded.conformance.running import Plan, results
from tests.support.cluster import serve


def test_none_begins_after_the_end(tmp_path: Path) -> None:
    clusters = Clusters()
    clusters.end()
    with pytest.raises(RuntimeError, match="the replay is over"), clusters.one(tmp_path / "a", "a"):
        pytest.fail("a cluster was started")


def test_no_areas_need_no_cluster(tmp_path: Path) -> None:
    assert list(results([], Plan(tmp_path))) == []


def test_a_cluster_that_does_not_start_is_a_difference(tmp_path: Path) -> None:
    area = Area("a", lambda _: iter([Case("reached")]))
    [result] = results([area], Plan(tmp_path, time_scale=-1.0))
    [case] = result.cases
    assert (case.name, result.area) == ("the cluster", area)
    assert "does not start" in case.differences[0]


def test_a_given_cluster_is_cleared_between_areas(tmp_path: Path) -> None:
    def leaves(what: Replay) -> Iterator[Case]:
        kubectl = what.cluster.kubectl
        kubectl("create", "namespace", "left")
        kubectl("create", "deployment", "left", "--image=dev.local/hello:v1")
        kubectl("wait", "--for=condition=Available", "deployment/left", "--timeout=60s", timeout=90)
        kubectl("delete", "deployment", "left")
        yield Case("left", (kubectl("get", "namespace", "left", "-o", "name").out,))

    def finds(what: Replay) -> Iterator[Case]:
        kubectl = what.cluster.kubectl
        listed = (kubectl("get", kind, "-o", "name").out for kind in ("pods", "events"))
        ended = kubectl("wait", "--for=delete", "namespace/left", "--timeout=60s", timeout=90)
        yield Case("found", (*listed, ended.err))

    with serve(tmp_path / "cluster", "given") as cluster:
        plan = Plan(tmp_path, kubeconfig=cluster.kubeconfig)
        left, found = results([Area("leaves", leaves), Area("finds", finds)], plan)
    assert left.cases[0].differences == ("namespace/left\n",)
    assert found.cases[0].differences == ("", "", "")
