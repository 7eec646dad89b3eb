"""A cold start on a cluster whose clock runs faster, so that zero is near."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.spec.model import ProbeAction
from harness.timing.clock import SystemClock
from probes.coldstart import cold_start
from probes.scale import PodCounter
from tests.support.cluster import serve
from tests.support.product import Product


@pytest.fixture
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A cluster of its own, at ten times the usual speed."""
    folder = tmp_path_factory.mktemp("hurried") / "state"
    with serve(folder, "hurried", "--time-scale", "10") as cluster:
        yield Product(cluster, "default")


@pytest.mark.covers("Knative autoscaling", "a request from zero, split into its steps")
def test_a_service_at_zero_answers_and_its_steps_are_seen(hurried: Product) -> None:
    service = hurried.up()
    clock = SystemClock()
    action = {"service": "echo", "vantages": ["gateway"], "requests": 1, "timeout": "30s"}
    seen = cold_start(
        service,
        ProbeAction.model_validate(action),
        prober=hurried.prober,
        counter=PodCounter(hurried.client, clock, "default", "echo"),
        clock=clock,
        zero_timeout=60.0,
    )
    assert seen.probe.outcomes == {"ok": 1}
    assert seen.waited > 1.0
    assert [name for name, _ in seen.phases] == ["pod", "start", "ready", "answer"]
    assert sum(seconds for _, seconds in seen.phases) == pytest.approx(seen.seconds)
    assert 0 < seen.seconds < 30
