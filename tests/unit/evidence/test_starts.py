"""Autoscaling and cold starts: claims of their own, with documents of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from harness.core.judge import autoscale_claim, coldstart_claim, judge_ended
from harness.core.observation import ColdStartObserved
from harness.core.record import fold_events
from harness.core.verdict import Claim, Verdict
from harness.evidence.build import build
from harness.evidence.markdown import render
from harness.evidence.model import Evidence, decode, encode
from harness.spec.model import ProbeAction
from tests.support.stories import KEY, Paper, Story

STORY = Story()
PAPER = Paper(STORY.run_id)
COLD = ColdStartObserved(
    service="hello",
    namespace="default",
    at=STORY.after(3),
    until=STORY.after(4.5),
    waited=62.5,
    seconds=1.5,
    phases=(("pod", 0.1), ("start", 0.9), ("ready", 0.3), ("answer", 0.2)),
)


@pytest.mark.parametrize(
    ("pods", "replicas", "verdict"),
    [
        (2, ((0.0, 1), (3.0, 2)), Verdict.PASS),
        (3, ((0.0, 1), (3.0, 2)), Verdict.FAIL),
        (1, (), Verdict.INCONCLUSIVE),
    ],
)
def test_a_load_is_met_with_enough_pods(
    pods: int, replicas: tuple[tuple[float, int], ...], verdict: Verdict
) -> None:
    claim = autoscale_claim(pods, replace(STORY.load(PAPER), replicas=replicas))
    assert claim is not None
    assert (claim.name, claim.subject, claim.verdict) == ("autoscale", KEY, verdict)


def test_pods_without_a_request_prove_nothing() -> None:
    claim = autoscale_claim(1, replace(STORY.load(PAPER), requests=0, replicas=((0.0, 5),)))
    assert claim is not None
    assert claim.verdict is Verdict.INCONCLUSIVE


def test_no_claim_is_made_where_none_was_asked() -> None:
    assert autoscale_claim(None, STORY.load(PAPER)) is None


@pytest.mark.parametrize(("good", "verdict"), [(20, Verdict.PASS), (0, Verdict.FAIL)])
def test_a_cold_start_is_good_when_its_request_is(good: int, verdict: Verdict) -> None:
    probe = STORY.probe(PAPER, "gateway", good)
    claim = coldstart_claim(COLD, [probe])
    assert claim.verdict is verdict
    assert "pod 0.10 s, start 0.90 s, ready 0.30 s, answer 0.20 s" in claim.reason
    assert set(claim.cites) == set(probe.first_ids.values())


@pytest.mark.parametrize("asked", [{"requests": 2}, {"vantages": ["gateway", "devbox"]}])
def test_only_the_first_request_is_cold(asked: dict[str, object]) -> None:
    given = {"service": "hello", "vantages": ["gateway"], "requests": 1, "from_zero": "90s"}
    assert ProbeAction.model_validate(given).from_zero == 90
    with pytest.raises(ValidationError, match="from_zero needs one vantage"):
        ProbeAction.model_validate({**given, **asked})


def documents(language: str = "en") -> dict[str, Evidence]:
    """The documents of a run that saw one of each; claims as the judge makes them."""
    record = fold_events(STORY.events(PAPER))
    steps = dict(record.steps)
    name = "probe hello"
    steps[name] = replace(steps[name], observations=(*steps[name].observations, COLD))
    opened = replace(record.opened, language=language)
    record = replace(record, steps=steps, opened=opened)
    verdict = judge_ended(STORY.plan(), record)
    load = STORY.load(PAPER)
    scaled = autoscale_claim(1, load)
    assert isinstance(scaled, Claim)
    told = {(claim.subject, claim.title) for claim in verdict.services}
    assert (KEY, "coldstart") in told
    verdict = replace(verdict, services=(*verdict.services, scaled))
    return {one.kind: one for one in build(record, verdict)}


@pytest.mark.parametrize("kind", ["autoscale", "coldstart"])
def test_each_has_a_document_that_reads_back(kind: str) -> None:
    document = documents()[kind]
    assert document.claim.name == kind
    assert decode(encode(document)) == document


def test_the_documents_show_what_was_seen() -> None:
    found = documents()
    cold = render(found["coldstart"], run_folder="..")
    assert "- waited for zero pods: 62.5 s" in cold
    assert "| start | 0.9 s |" in cold
    scaled = render(found["autoscale"], run_folder="..")
    assert "| seconds since the start | pods ready from then on |" in scaled


@pytest.mark.parametrize("kind", ["autoscale", "coldstart"])
def test_they_are_shown_in_japanese_too(kind: str) -> None:
    text = render(documents("ja")[kind], run_folder="..")
    assert "の判定: PASS (合格)。" in text
    assert "waited for" not in text
