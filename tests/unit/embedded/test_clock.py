"""Cluster time: it never goes back, whatever its scale."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.embedded.clock import Clock
from infra.embedded.timekeeper import Timekeeper, last_shown


def test_a_scale_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        Clock(0)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1000.0])
def test_a_new_clock_goes_on_where_the_last_was_noted(scale: float, tmp_path: Path) -> None:
    path = tmp_path / "time"
    clock = Clock(scale, datetime.now(UTC) + timedelta(days=3))
    keeper = Timekeeper(clock, path)
    before = clock.now()
    keeper.note()
    assert Clock(scale, last_shown(path)).now() >= before


def test_a_clock_without_a_lead_shows_the_real_time(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    assert last_shown(tmp_path / "none") is None
    for not_before in (None, now - timedelta(days=1)):
        assert Clock(1.0, not_before).now() >= now


def test_a_note_of_a_running_cluster_is_ahead_of_its_clock(tmp_path: Path) -> None:
    async def story() -> None:
        clock, path = Clock(100.0, monotonic=lambda: 0.0), tmp_path / "time"
        task = asyncio.ensure_future(Timekeeper(clock, path).run())
        await asyncio.sleep(0)
        noted = last_shown(path)
        assert noted is not None
        assert noted > clock.now()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        stopped = last_shown(path)
        assert stopped is not None
        assert stopped <= clock.now()

    asyncio.run(story())


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-22", "\x00"])
def test_a_note_that_cannot_be_read_is_no_note(text: str, tmp_path: Path) -> None:
    path = tmp_path / "time"
    path.write_text(text)
    assert last_shown(path) is None
