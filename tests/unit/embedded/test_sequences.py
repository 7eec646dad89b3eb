"""Recorded transitions: read from each form, compared in their order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.embedded.conformance import sequences
from tests.embedded.conformance.sequences import State, compare

# golden 02-lifecycle/timeline.txt, 04-failures/timeline.txt, 05-gateway/traffic-split-timeline.txt
LINES = (
    "# step at 3.23s: rev green created",
    "   0.126 ADDED    Service/hello gen=1 rv=1586 changed:[] {}",
    "   0.159 EVENT Normal Service/hello Created: Created x (x1) from=service-controller",
    "   0.255 MODIFIED Service/hello gen=1 rv=1593 changed:[ConfigurationsReady=Unknown(OutOfDate:"
    ' still; Ready=No.); Ready=Unknown(ResolvingDigests: None)] {"observedGeneration": 1,'
    ' "url": "http://hello.default.127.0.0.1.sslip.io"}',
    "  35.85 Configuration/exit Ready=False(RevisionFailed: failed: fatal: config missing",
    ".)",
    '    2.58 MODIFIED Route/split gen=1 Ready=True [{"latestRevision": true, "percent": 0}]',
    "    2.60 MODIFIED Route/split gen=1  null",
)


def test_states_in_a_timeline() -> None:
    found = [(s.at, s.verb, s.kind, s.name, dict(s.facets)) for s in sequences.timeline(LINES)]
    assert found == [
        (0.126, "ADDED", "Service", "hello", {}),
        (0.255, "MODIFIED", "Service", "hello", {
            "condition ConfigurationsReady": "Unknown OutOfDate: still; Ready=No.",
            "condition Ready": "Unknown ResolvingDigests",
            "url": "http://hello.default.DOMAIN",
        }),
        (35.85, "", "Configuration", "exit", {
            "condition Ready": "False RevisionFailed: failed: fatal: config missing\n.",
        }),
        (2.58, "MODIFIED", "Route", "split", {
            "condition Ready": "True", "traffic": '[{"latestRevision": true}]',
        }),
        (2.6, "MODIFIED", "Route", "split", {}),
    ]  # fmt: skip
    assert sequences.begun(LINES) == [(3.23, "rev green created")]


OBJECT = {
    "kind": "Service",
    "metadata": {"name": "hello", "generation": 2},
    "status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "OutOfDate"}]},
}


@pytest.mark.parametrize(
    "event",
    [
        {"t": 0.5, "kind": "Service", "type": "ADDED", "obj": OBJECT},
        {"t": 0.5, "kind": "Service", "type": "ADDED", "name": "hello", "generation": 2,
         "status": OBJECT["status"]},
        {"t": 0.5, "event": {"type": "ADDED", "object": OBJECT}},
    ],
)  # fmt: skip
def test_states_in_events(event: dict[str, Any]) -> None:
    [state] = sequences.events([json.dumps(event)])
    facets = {"condition Ready": "Unknown OutOfDate"}
    assert state == State(0.5, "ADDED", "Service", "hello", 2, facets)


@pytest.mark.parametrize(
    "line", ["", "{", "[" * 100_000, "3", "{}", '{"obj": 3}', '{"event": 3}', '{"kind": "Event"}',
             '{"kind": "Service", "obj": {"metadata": {}}}']
)  # fmt: skip
def test_what_is_no_event(line: str) -> None:
    assert list(sequences.events([line])) == []


def states(*values: tuple[float, str], name: str = "hello") -> list[State]:
    return [State(at, "", "Route", name, 1, {"condition Ready": v}) for at, v in values]


def differences(wanted: list[State], got: list[State]) -> list[str]:
    return [line for _, found in compare(wanted, got) for line in found]


RECORDED = states(
    (0.0, "Unknown A: a"), (1.0, "Unknown B: b"), (1.1, "Unknown C: c"), (1.4, "True")
)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (RECORDED, []),
        (states((5.0, "Unknown A: a"), (5.1, "Unknown B: b"), (5.2, "Unknown C: c"), (9.0, "True")),
         []),
        (states((0.0, "Unknown B: b"), (0.1, "Unknown A: a"), (0.2, "Unknown C: c"), (0.3, "True")),
         ["condition Ready: - -> Unknown B: b",
          "condition Ready: after 'Unknown A: a': Unknown B: b -> -"]),
        (states((0.0, "Unknown A: a"), (0.1, "Unknown B: b"), (0.2, "Unknown C: c")),
         ["condition Ready: after 'Unknown C: c': True -> -"]),
        (states((0.0, "Unknown A: a"), (0.1, "Unknown X: x"), (0.2, "Unknown C: c"), (0.3, "True")),
         ["condition Ready: after 'Unknown A: a': Unknown B: b -> Unknown X: x"]),
        (states((0.0, "Unknown A: a"), (0.1, "Unknown B: b"), (0.2, "True")),
         ["condition Ready: after 'Unknown B: b': Unknown C: c -> -"]),
    ],
)  # fmt: skip
def test_the_order_counts_and_the_times_do_not(got: list[State], expected: list[str]) -> None:
    assert differences(RECORDED, got) == expected


def test_a_short_state_may_be_passed_over_where_it_is_known_from_elsewhere() -> None:
    got = states((0.0, "Unknown A: a"), (0.1, "Unknown C: c"), (0.2, "True"))
    elsewhere = states((0.0, "Unknown B: b"), name="other")
    assert differences(RECORDED, got) != []
    assert differences([*RECORDED, *elsewhere], [*got, *elsewhere]) == []
    long = states((0.0, "Unknown A: a"), (1.0, "Unknown B: b"), (3.0, "Unknown C: c"), (4, "True"))
    assert differences([*long, *elsewhere], [*got, *elsewhere]) != []


def test_a_short_state_here_may_be_missing_in_the_recording() -> None:
    wanted = states((0.0, "Unknown A: a"), (9.0, "True"))
    got = states((0.0, "Unknown A: a"), (1.0, "False B: b"), (1.2, "True"))
    elsewhere = states((0.0, "False B: b"), name="other")
    assert differences(wanted, got) != []
    assert differences([*wanted, *elsewhere], [*got, *elsewhere]) == []


def test_reasons_are_compared_where_no_messages_are_recorded() -> None:
    wanted = states((0.0, "Unknown A"), (1.0, "True"))
    assert differences(wanted, states((0.0, "Unknown A: a"), (1.0, "True"))) == []


def test_objects_that_are_missing_or_too_many() -> None:
    one = [State(0.0, "ADDED", "Pod", "hello-00001-deployment-5b7cff4f9c-kxg9b", 1, {})]
    two = [*one, State(0.0, "ADDED", "Pod", "hello-00001-deployment-5b7cff4f9c-abcde", 1, {})]
    assert differences(one, two) == ["1 -> 2 objects"]
    assert differences(two, one) == ["2 -> 1 objects"]
    assert differences([], one) == ["0 -> 1 objects"]
    touched = [State(0.0, "MODIFIED", "Pod", "old", 1, {"phase": "Running"})]
    assert differences([], touched) == []


def test_a_short_return_to_an_earlier_state_may_be_missing() -> None:
    wanted = states((0.0, "Unknown A"), (0.4, "Unknown B"), (0.7, "Unknown A"), (0.8, "Unknown B"),
                    (2.0, "True"))  # fmt: skip
    assert differences(wanted, states((0, "Unknown A"), (1, "Unknown B"), (2, "True"))) == []
    assert differences(wanted, states((0, "Unknown B"), (1, "Unknown A"), (2, "True"))) != []
