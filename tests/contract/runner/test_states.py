"""The tables of the state machine, and the ledger they are written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.runner.ledger import Entry, Ledger
from harness.runner.settle import MARK_OF
from harness.runner.states import (
    EXIT_OF,
    FINAL,
    FOLDER_OF,
    RESULT_OF,
    TRANSITIONS,
    VERDICT_OF,
    Event,
    State,
    after,
)


def test_every_state_can_be_reached() -> None:
    reached = {State.INBOX}
    for _ in State:
        reached |= {to for (state, _), to in TRANSITIONS.items() if state in reached}
    assert reached == set(State)


def test_final_states_are_final() -> None:
    assert not {state for state, _ in TRANSITIONS} & FINAL


@pytest.mark.parametrize("state", sorted(FINAL))
def test_every_end_has_a_folder_a_verdict_and_an_exit_code(state: State) -> None:
    assert FOLDER_OF[state] in ("_done", "_failed", "_refused")
    assert VERDICT_OF[state]
    assert EXIT_OF[state] in range(5)


@pytest.mark.parametrize("event", sorted(RESULT_OF))
def test_every_end_of_a_run_is_a_transition_and_a_mark(event: Event) -> None:
    assert after(State.RUNNING, event) is RESULT_OF[event]
    assert MARK_OF[event] == RESULT_OF[event]


@pytest.mark.parametrize(
    ("state", "event"),
    [(State.INBOX, Event.SUCCEED), (State.SUCCEEDED, Event.CLAIM), (State.CLAIMED, Event.SUCCEED)],
)
def test_what_cannot_happen_is_an_error(state: State, event: Event) -> None:
    with pytest.raises(ValueError, match="cannot happen"):
        after(state, event)


def entry(mark: str = "succeeded", **changes: str) -> Entry:
    values = {"at": "t", "id": "a", "content": "c", "cluster": "u", "run_id": "a"}
    return Entry(**{**values, **changes, "mark": mark})  # type: ignore[arg-type]


def test_done_wants_the_whole_key(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(entry())

    assert ledger.done(id="a", content="c", cluster="u") == entry()
    assert ledger.done(id="b", content="c", cluster="u") is None
    assert ledger.done(id="a", content="d", cluster="u") is None
    assert ledger.done(id="a", content="c", cluster="v") is None


@pytest.mark.parametrize("mark", ["started", "applying", "applied", "failed", "refused"])
def test_only_a_success_is_done(tmp_path: Path, mark: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(entry(mark))
    assert ledger.done(id="a", content="c", cluster="u") is None


def test_a_torn_line_is_skipped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(entry("started"))
    path = tmp_path / "u.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    ledger.append(entry("failed"))

    assert [found.mark for found in ledger.entries("u")] == ["failed"]


def test_the_last_word_on_a_run_is_found_on_any_cluster(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(entry("started", cluster="one", run_id="r1"))
    ledger.append(entry("applying", cluster="one", run_id="r1"))
    ledger.append(entry("started", cluster="two", run_id="r2"))

    last = ledger.last_of("r1")
    assert last is not None
    assert (last.mark, last.cluster) == ("applying", "one")
    assert ledger.last_of("r3") is None
