"""Loads from Envoy's counters."""

import pytest

from infra.embedded.gateway.load import Load

KEY = ("default", "hello-00001")


def text(active: int, total: int) -> str:
    name = "cluster.default/hello-00001.upstream_rq"
    return (
        f"{name}_active: {active}\n{name}_total: {total}\ncluster.activator.upstream_rq_total: 9\n"
    )


def test_concurrency_is_the_mean_of_samples_and_rps_what_came() -> None:
    load = Load()
    load.stats(0.0)
    for active, total in ((2, 2), (4, 6)):
        assert load.sample(text(active, total))
    found = load.stats(2.0)[KEY]
    assert (found.concurrency, found.rps) == (3.0, 3.0)


def test_nothing_new_is_nothing() -> None:
    load = Load()
    load.sample(text(0, 5))
    load.stats(1.0)
    assert not load.sample(text(0, 5))
    found = load.stats(2.0)[KEY]
    assert (found.concurrency, found.rps) == (0.0, 0.0)


def test_requests_too_short_to_be_seen_are_no_idleness() -> None:
    load = Load()
    load.stats(0.0)
    load.sample(text(0, 20))
    found = load.stats(1.0)[KEY]
    assert found.rps == pytest.approx(20)
    assert found.concurrency > 0


def test_a_backend_that_comes_back_counts_from_zero() -> None:
    load = Load()
    load.sample(text(0, 50))
    load.stats(1.0)
    load.sample(text(0, 3))
    assert load.stats(2.0)[KEY].rps == pytest.approx(3)


def test_other_lines_are_ignored() -> None:
    load = Load()
    assert not load.sample("cluster_manager.cds.update_success: 3\n\nnonsense\n")
    assert load.stats(1.0) == {}
