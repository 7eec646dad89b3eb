"""The open-loop schedule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probes.agent.clock import NS
from probes.agent.plan import Target
from probes.agent.schedule import slots

targets = st.builds(
    Target,
    name=st.just("t"),
    url=st.just("http://x/"),
    requests=st.integers(0, 50),
    warmup=st.integers(0, 10),
    rate=st.floats(0.1, 2000),
    offset=st.floats(0, 5),
)


@given(st.lists(targets, max_size=4), st.integers(0, 10**15))
def test_every_request_has_its_place_in_order(plan: list[Target], start: int) -> None:
    found = list(slots(plan, start))
    assert [slot.due for slot in found] == sorted(slot.due for slot in found)
    for i, target in enumerate(plan):
        mine = [slot for slot in found if slot.target == i]
        assert [slot.seq for slot in mine] == list(range(target.warmup + target.requests))
        assert sum(slot.warmup for slot in mine) == target.warmup


@given(targets, st.integers(0, 10**15))
def test_request_i_starts_at_start_plus_i_over_rate(target: Target, start: int) -> None:
    for slot in slots([target], start):
        exact = start + (target.offset + slot.seq / target.rate) * NS
        assert abs(slot.due - exact) <= 1 + exact * 2**-52


def test_rounding_does_not_add_up() -> None:
    target = Target(name="t", url="http://x/", requests=100_001, rate=3)
    *_, last = slots([target], 0)
    assert last.due == round(100_000 / 3 * NS)


def test_the_schedule_is_not_built_in_advance() -> None:
    endless = Target(name="t", url="http://x/", requests=10**12, rate=2000)
    assert next(slots([endless], 5)).due == 5
