"""The claims of one vantage: reachable, and each objective."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.core.observation import ProbeObserved
from harness.core.outcome import Hop
from harness.core.reachability import reachable_claim, sli_claims
from harness.core.verdict import Verdict
from harness.spec.model import Objective

OK = ProbeObserved(
    service="hello",
    namespace="default",
    vantage="devbox",
    url="http://h",
    at="",
    until="",
    total=20,
    valid=20,
    good=20,
    outcomes={"ok": 20},
    first_ids={"ok": "t#0", "reset": "t#3"},
    latencies_within={"0.5": 19},
)
SOME = replace(OK, good=18, failures={"reset": 2}, outcomes={"ok": 18, "reset": 2})
NONE = replace(OK, good=0, failures={"reset": 20}, outcomes={"reset": 20})
THIN = replace(OK, total=0, valid=0, good=0, outcomes={})
DEAD = replace(THIN, error="no pod")


def objective(**fields: Any) -> Objective:
    return Objective.model_validate({"metric": "success", "target": "99%", **fields})


@pytest.mark.parametrize(
    ("probe", "verdict", "hop", "cites"),
    [
        (OK, Verdict.PASS, None, ("t#0",)),
        (SOME, Verdict.INCONCLUSIVE, Hop.WAIT, ("t#3",)),
        (NONE, Verdict.FAIL, Hop.WAIT, ("t#3",)),
        (THIN, Verdict.INCONCLUSIVE, None, ("t#0",)),
        (DEAD, Verdict.ERROR, Hop.PROBER, ("t#0",)),
    ],
)
def test_reachable_follows_what_was_seen(
    probe: ProbeObserved, verdict: Verdict, hop: Hop | None, cites: tuple[str, ...]
) -> None:
    claim = reachable_claim(probe)
    assert (claim.verdict, claim.hop, claim.cites) == (verdict, hop, cites)
    assert (claim.subject, claim.vantage) == ("default/hello", "devbox")


def test_too_few_attempts_say_how_many_were_wanted() -> None:
    claim = reachable_claim(OK, minimum=30)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.reason == "no data: 20 valid attempts, at least 30 wanted"


def test_by_address_is_not_called_the_public_name() -> None:
    claim = reachable_claim(replace(OK, by_address=True))
    assert claim.reason.endswith("by address, not by the public name")
    assert claim.not_checked[0].startswith("devbox: resolve")


@pytest.mark.parametrize(
    ("probe", "fields", "verdict", "said"),
    [
        (OK, {}, Verdict.PASS, "20/20"),
        (OK, {"judge": "proven"}, Verdict.INCONCLUSIVE, "381 good samples would prove it"),
        (OK, {"target": "100%"}, Verdict.PASS, "no number of samples proves it"),
        (SOME, {}, Verdict.FAIL, "99% wanted: missed"),
        (SOME, {"target": "90%"}, Verdict.PASS, "18/20"),
        (THIN, {}, Verdict.INCONCLUSIVE, "no data"),
        (DEAD, {}, Verdict.ERROR, "no pod"),
        (OK, {"metric": "latency", "target": "95%", "threshold": "500ms"}, Verdict.PASS, "19/20"),
        (OK, {"metric": "latency", "threshold": "500ms"}, Verdict.FAIL, "within 0.5 s"),
        (
            OK,
            {"metric": "latency", "threshold": "300ms"},
            Verdict.INCONCLUSIVE,
            "0.3 s was not measured",
        ),
    ],
)
def test_an_objective_is_judged_on_the_counts(
    probe: ProbeObserved, fields: dict[str, Any], verdict: Verdict, said: str
) -> None:
    asked = objective(**fields)
    (claim,) = sli_claims(probe, [asked])
    assert claim.verdict is verdict
    assert said in claim.reason
    assert claim.name == f"sli {asked.name}"


@pytest.mark.parametrize(
    ("late", "threshold", "judged"),
    [
        (0.020, "100ms", True),
        (0.026, "100ms", False),
        (0.049, "500ms", True),
        (0.051, "500ms", False),
    ],
)
def test_a_prober_behind_schedule_judges_success_but_not_latency(
    late: float, threshold: str, judged: bool
) -> None:
    probe = replace(OK, lateness_p99=late, latencies_within={"0.1": 20, "0.5": 20})
    latency, success = sli_claims(
        probe, [objective(metric="latency", target="95%", threshold=threshold), objective()]
    )
    assert success.verdict is Verdict.PASS
    assert latency.verdict is (Verdict.PASS if judged else Verdict.INCONCLUSIVE)
    assert ("behind schedule" in latency.reason) is not judged
