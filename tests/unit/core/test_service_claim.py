"""The claim about a service as a whole: diagnosis and objectives together."""

from __future__ import annotations

import pytest

from harness.core.judge import service_claim
from harness.core.verdict import Claim, Verdict

PASS, FAIL, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.ERROR
UNSURE = Verdict.INCONCLUSIVE


def claim(name: str, verdict: Verdict) -> Claim:
    return Claim(name, "default/hello", verdict, f"because of {name}", vantage="devbox")


@pytest.mark.parametrize(
    ("diagnosed", "ready", "reachable", "sli", "verdict"),
    [
        (PASS, PASS, PASS, PASS, PASS),
        (PASS, PASS, PASS, FAIL, FAIL),
        (PASS, PASS, PASS, UNSURE, UNSURE),
        (UNSURE, PASS, UNSURE, FAIL, UNSURE),
        (UNSURE, PASS, UNSURE, UNSURE, UNSURE),
        (UNSURE, PASS, FAIL, FAIL, UNSURE),
        (UNSURE, FAIL, PASS, PASS, UNSURE),
        (FAIL, FAIL, FAIL, FAIL, FAIL),
        (ERROR, PASS, ERROR, FAIL, ERROR),
    ],
    ids=[
        "all good",
        "missed objective",
        "unproven objective",
        "partly failing and missed objective",
        "partly failing",
        "READY but unreachable",
        "answering but not READY",
        "down",
        "could not be checked",
    ],
)
def test_what_the_diagnosis_found_comes_before_the_worst(
    diagnosed: Verdict, ready: Verdict, reachable: Verdict, sli: Verdict, verdict: Verdict
) -> None:
    details = [claim("ready", ready), claim("reachable", reachable), claim("sli x", sli)]
    assert service_claim(claim("service", diagnosed), details).verdict is verdict


def test_an_objective_missed_by_vantages_that_all_reach_it_is_the_verdict() -> None:
    details = [claim("ready", PASS), claim("reachable", PASS), claim("sli x", FAIL)]
    judged = service_claim(claim("service", PASS), details)
    assert (judged.verdict, judged.vantage) == (FAIL, "devbox")
    assert judged.reason == "sli x from devbox: because of sli x"
