"""What containers use: /proc's texts, whose process is whose, and a look at real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.node import memory
from infra.embedded.node.memory import Allowance, Entry, Watch, own_bytes, parse_stat, trees
from tests.support.wait import eventually

REST = "S 7 {0} 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 100 2000000 {1} 18446744073709551615 1 1"
TAKEN = 60 << 20  # bytes that the child of `taking` fills


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30))
def test_a_process_may_have_any_name(name: str) -> None:
    entry = parse_stat(f"12 ({name}) {REST.format(8, 3)}")
    assert (entry.process, entry.parent, entry.session) == (12, 7, 9)
    assert entry.resident == 3 * os.sysconf("SC_PAGE_SIZE")


def test_own_memory_is_anonymous_shared_and_swapped() -> None:
    rollup = (
        "55fd-7ffe ---p 00000000 00:00 0    [rollup]\n"
        "Rss:     9000 kB\nPss:     5000 kB\nPss_Anon:  100 kB\nPss_File: 4000 kB\n"
        "Pss_Shmem:  20 kB\nSwapPss:   3 kB\n"
    )
    assert own_bytes(rollup) == 123 * 1024


def entry(process: int, parent: int, session: int) -> Entry:
    return Entry(process, parent, session, resident=0)


def test_processes_belong_to_containers_by_descent_or_session() -> None:
    found = trees(
        [
            entry(1, 0, 1),
            entry(10, 1, 10),  # a container
            entry(11, 10, 10),
            entry(12, 11, 12),  # a child in a session of its own
            entry(13, 1, 10),  # its parent has ended
            entry(20, 1, 20),  # entered the container
            entry(30, 1, 30),  # another
            entry(40, 1, 40),  # nobody's
        ],
        {10: "a", 20: "a", 30: "b"},
    )
    sets = {owner: {e.process for e in tree} for owner, tree in found.items()}
    assert sets == {"a": {10, 11, 12, 13, 20}, "b": {30}}


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9)), max_size=9))
def test_any_picture_of_processes_comes_to_an_end(rows: list[tuple[int, int, int]]) -> None:
    """Processes end and begin while /proc is read: parents may be missing or go round."""
    found = trees([entry(*row) for row in rows], {1: "a"})
    assert set(found) <= {"a"}


@contextmanager
def taking() -> Iterator[int]:
    """A process that holds TAKEN bytes."""
    script = f"import sys; kept = b'x' * {TAKEN}; print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.communicate()


@pytest.mark.parametrize(
    ("allowance", "above"),
    [
        (Allowance(TAKEN // 2), True),
        (Allowance(TAKEN * 3), False),
        (Allowance(TAKEN // 2, inherited=TAKEN * 3), False),
    ],
)
def test_what_is_above_its_limit_is_found(allowance: Allowance, above: bool) -> None:
    watch = Watch()
    with taking() as process:
        watch.add("c", process, allowance)
        assert watch.excess() == ({"c": [process]} if above else {})
        assert watch.excess() == {}  # not yet due again
        pause = watch.pause
        assert pause is not None
        assert pause > 0
        watch.forget(process, "c")
        assert watch.pause is None


def test_a_process_that_entered_counts_until_it_ends() -> None:
    watch = Watch()
    with taking() as first, taking() as second:
        watch.add("c", first, Allowance(TAKEN + TAKEN // 2))
        assert watch.excess() == {}
        watch.join("c", second)
        found = eventually(watch.excess)
        assert set(found["c"]) == {first, second}


def test_nothing_is_looked_at_without_containers() -> None:
    assert Watch().pause is None
    assert Watch().excess() == {}


def test_the_ceiling_is_a_share_of_the_machine() -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < memory.default_limit() <= machine * memory.CEILING


def test_what_a_fork_begins_with_is_measured() -> None:
    assert memory.own_here() > 1 << 20
