"""Clusters of areas: none is left, and none begins once the replay is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.embedded.conformance.clusters import Clusters
from tests.embedded.conformance.outcome import Area, Case
from tests.embedded.conformance.running import Plan, results


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
