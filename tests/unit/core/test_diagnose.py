"""The diagnosis: known patterns, no pattern without a verdict, and what may never happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.causes import CAUSES, cause_of
from harness.core.diagnose import diagnose
from harness.core.identity import VantageIdentity
from harness.core.observation import ProbeObserved, ServiceObserved
from harness.core.outcome import HOP_OF, Hop
from harness.core.pattern import Flag, Pattern, Reach, ReadyState, Where
from harness.core.situations import SITUATIONS, situation_of
from harness.core.verdict import Verdict
from harness.core.view import Signature
from harness.spec.diagnoses import DIAGNOSES
from harness.spec.model import Objective

VANTAGES = ("devbox", "gateway", "in-cluster", "in-cluster-gateway", "node", "kubectl://p")

READY = ServiceObserved(
    service="hello",
    namespace="default",
    found=True,
    at="",
    generation=1,
    observed_generation=1,
    latest_created="hello-00001",
    latest_ready="hello-00001",
)
UNKNOWN = replace(READY, mismatches=("status.conditions[Ready]: expected True, found Unknown",))
NEVER = replace(UNKNOWN, latest_ready="")
FAILED_UPDATE = replace(UNKNOWN, latest_created="hello-00002")
STALE = replace(UNKNOWN, generation=2)
ABSENT = ServiceObserved(
    service="hello", namespace="default", found=False, at="", mismatches=("not found",)
)


def probe(vantage: str, good: int = 20, **fields: object) -> ProbeObserved:
    """A probe of 20 attempts, `good` of them ok and the rest as `failures` says."""
    failures = fields.get("failures", {})
    assert isinstance(failures, Mapping)
    base = ProbeObserved(
        service="hello",
        namespace="default",
        vantage=vantage,
        url="http://hello.default.127.0.0.1.sslip.io",
        at="",
        until="",
        total=20,
        valid=20,
        good=good,
        outcomes={"ok": good, **failures},
        first_ids={"ok": f"{vantage}-ok", **{name: f"{vantage}-{name}" for name in failures}},
        through_gateway=good,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def failed(vantage: str, outcome: str, count: int = 20, **fields: object) -> ProbeObserved:
    return probe(vantage, 20 - count, failures={outcome: count}, **fields)


ALL_OK = (probe("devbox"), probe("gateway"), probe("in-cluster"))
INSIDE_OK = probe("in-cluster")

CASES: dict[
    str, tuple[ServiceObserved | None, tuple[ProbeObserved, ...], Verdict, Hop | None, str | None]
] = {
    "reachable": (READY, ALL_OK, Verdict.PASS, None, None),
    "gateway-not-exposed": (
        READY,
        (failed("devbox", "connect_refused"), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.CONNECT,
        "devbox",
    ),
    "public-port-closed": (
        READY,
        (failed("devbox", "connect_refused"), probe("gateway"), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.CONNECT,
        "devbox",
    ),
    "cluster-address-closed": (
        READY,
        (probe("devbox"), failed("in-cluster", "connect_refused")),
        Verdict.INCONCLUSIVE,
        Hop.CONNECT,
        "in-cluster",
    ),
    "nothing-listens": (
        READY,
        (failed("gateway", "connect_refused"), failed("devbox", "connect_refused")),
        Verdict.INCONCLUSIVE,
        Hop.CONNECT,
        "devbox",
    ),
    "dns-not-found": (
        READY,
        (failed("devbox", "dns_not_found"), probe("gateway"), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.RESOLVE,
        "devbox",
    ),
    "silent-outside": (
        READY,
        (failed("devbox", "wait_timeout"), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.WAIT,
        "devbox",
    ),
    "silent": (
        READY,
        (failed("devbox", "wait_timeout"), failed("in-cluster", "wait_timeout")),
        Verdict.INCONCLUSIVE,
        Hop.WAIT,
        "devbox",
    ),
    "tls-expired": (
        READY,
        (failed("devbox", "tls_expired"), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.TLS,
        "devbox",
    ),
    "clock-skew": (
        READY,
        (
            failed(
                "devbox",
                "tls_expired",
                identity=VantageIdentity("devbox", clock_offset=90_000.0),
            ),
            INSIDE_OK,
        ),
        Verdict.INCONCLUSIVE,
        Hop.TLS,
        "devbox",
    ),
    "host-not-routed": (
        READY,
        (failed("gateway", "status_mismatch", gateway_failures={"404": 20}), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.STATUS,
        "gateway",
    ),
    "no-healthy-upstream": (
        READY,
        (failed("gateway", "status_mismatch", gateway_failures={"503": 20}),),
        Verdict.INCONCLUSIVE,
        Hop.STATUS,
        "gateway",
    ),
    "gateway-timeout": (
        READY,
        (failed("gateway", "status_mismatch", gateway_failures={"504": 20}),),
        Verdict.INCONCLUSIVE,
        Hop.STATUS,
        "gateway",
    ),
    "app-timeout": (
        READY,
        (failed("gateway", "status_mismatch", service_failures={"504": 20}, through_gateway=20),),
        Verdict.INCONCLUSIVE,
        Hop.STATUS,
        "gateway",
    ),
    "app-status": (
        READY,
        (failed("gateway", "status_mismatch", service_failures={"500": 20}, through_gateway=20),),
        Verdict.INCONCLUSIVE,
        Hop.STATUS,
        "gateway",
    ),
    "another-server": (
        READY,
        (failed("devbox", "status_mismatch", service_failures={"404": 20}), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.STATUS,
        "devbox",
    ),
    "wrong-service": (
        READY,
        (failed("devbox", "body_mismatch", through_gateway=20), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.BODY,
        "devbox",
    ),
    "not-http": (
        READY,
        (failed("devbox", "malformed_response"), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.TRANSFER,
        "devbox",
    ),
    "partial": (
        READY,
        (failed("devbox", "reset", 3, failed_after_good=2), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.WAIT,
        "devbox",
    ),
    "readiness-gap": (
        READY,
        (failed("devbox", "reset", 3), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.WAIT,
        "devbox",
    ),
    "partial-by-revision": (
        READY,
        (
            failed(
                "devbox",
                "status_mismatch",
                4,
                failed_after_good=2,
                revisions={"hello-00001": 16, "hello-00002": 4},
                failures_by_revision={"hello-00002": 4},
            ),
        ),
        Verdict.INCONCLUSIVE,
        Hop.STATUS,
        "devbox",
    ),
    "cold-start": (
        READY,
        (probe("devbox", first_good_seconds=1.8, later_p50=0.002, later_max=0.1),),
        Verdict.PASS,
        None,
        None,
    ),
    "prober-behind": (
        READY,
        (probe("devbox", lateness_p99=0.3, latencies_within={"0.5": 20}), INSIDE_OK),
        Verdict.INCONCLUSIVE,
        Hop.PROBER,
        "devbox",
    ),
    "no-data": (
        READY,
        (probe("devbox", 0, valid=0, total=0, outcomes={}),),
        Verdict.INCONCLUSIVE,
        None,
        None,
    ),
    "prober-error": (
        READY,
        (probe("devbox"), probe("in-cluster", 0, valid=0, error="the pod did not start")),
        Verdict.ERROR,
        Hop.PROBER,
        "in-cluster",
    ),
    "never-ready": (
        NEVER,
        (failed("gateway", "status_mismatch", gateway_failures={"404": 20}),),
        Verdict.FAIL,
        Hop.STATUS,
        "gateway",
    ),
    "not-ready": (
        UNKNOWN,
        (failed("gateway", "connect_refused"),),
        Verdict.FAIL,
        Hop.CONNECT,
        "gateway",
    ),
    "absent": (
        ABSENT,
        (failed("gateway", "status_mismatch", gateway_failures={"404": 20}),),
        Verdict.FAIL,
        Hop.STATUS,
        "gateway",
    ),
    "absent-but-answering": (ABSENT, ALL_OK, Verdict.INCONCLUSIVE, None, None),
    "not-ready-but-answering": (UNKNOWN, ALL_OK, Verdict.INCONCLUSIVE, None, None),
    "failed-update": (FAILED_UPDATE, ALL_OK, Verdict.INCONCLUSIVE, None, None),
    "not-reconciled": (STALE, ALL_OK, Verdict.INCONCLUSIVE, None, None),
}


@pytest.mark.parametrize("name", CASES)
def test_a_known_pattern_gets_its_diagnosis(name: str) -> None:
    ready, probes, verdict, hop, vantage = CASES[name]
    claim = diagnose(ready=ready, probes=probes)
    assert (claim.diagnosis, claim.verdict, claim.hop, claim.vantage) == (
        name,
        verdict,
        hop,
        vantage,
    )


def test_the_incident_reads_as_a_sentence() -> None:
    ready, probes, *_ = CASES["gateway-not-exposed"]
    refused = replace(probes[0], details={"connect_refused": "127.0.0.1:80: Connection refused"})
    claim = diagnose(ready=ready, probes=(refused, *probes[1:]))
    assert claim.reason == (
        "READY=True, but requests do not get through: "
        "connect_refused 20/20 from devbox (127.0.0.1:80: Connection refused); "
        "20/20 ok from in-cluster: "
        "works inside the cluster, but the gateway is not exposed on the host"
    )
    assert claim.cites == ("devbox-connect_refused", "in-cluster-ok")
    assert claim.contradicts == ("READY=True at generation 1",)
    assert claim.next_step == "ss -ltn 'sport = :80'; kubectl -n kourier-system get svc kourier"


@pytest.mark.parametrize("id", ["gateway-not-exposed", "nothing-listens", "absent-but-answering"])
def test_the_next_command_names_the_gateway_s_own_namespace(id: str) -> None:
    ready, probes, *_ = CASES[id]
    assert ready is not None
    claim = diagnose(ready=replace(ready, gateway_namespace="ingress"), probes=probes)
    assert claim.next_step is not None
    assert "kubectl -n ingress get " in claim.next_step
    assert "kourier-system" not in claim.next_step


def test_all_failing_at_one_hop_names_it_and_confirms_it_from_each() -> None:
    ready, probes, *_ = CASES["nothing-listens"]
    claim = diagnose(ready=ready, probes=probes)
    assert claim.hop is Hop.CONNECT
    assert [line.split(" from ")[1] for line in claim.confirms] == ["devbox", "gateway"]


def test_another_hop_at_another_vantage_contradicts() -> None:
    claim = diagnose(
        ready=READY,
        probes=(failed("devbox", "dns_not_found"), failed("gateway", "wait_timeout"), INSIDE_OK),
    )
    assert (claim.hop, claim.vantage) == (Hop.RESOLVE, "devbox")
    assert "wait_timeout 20/20 from gateway" in claim.contradicts


def test_failures_within_a_success_objective_are_tolerated() -> None:
    one_bad = failed("devbox", "reset", 1, failed_after_good=1)
    assert diagnose(ready=READY, probes=(one_bad,)).verdict is Verdict.INCONCLUSIVE
    lenient = Objective(metric="success", target=0.9)
    assert diagnose(ready=READY, probes=(one_bad,), objectives=(lenient,)).verdict is Verdict.PASS


def test_fewer_attempts_than_asked_are_too_thin() -> None:
    claim = diagnose(ready=READY, probes=ALL_OK, minimum=21)
    assert (claim.verdict, claim.diagnosis) == (Verdict.INCONCLUSIVE, "no-data")


def test_by_address_and_a_blind_ready_are_not_checked() -> None:
    claim = diagnose(ready=None, probes=(probe("devbox", by_address=True),))
    assert claim.verdict is Verdict.PASS
    assert claim.not_checked[0] == "READY"
    assert claim.not_checked[1].startswith("devbox: resolve")


def test_nobody_sent_a_request_is_not_a_pass() -> None:
    assert diagnose(ready=READY, probes=()).verdict is Verdict.INCONCLUSIVE


FLAGS = [frozenset(), *(frozenset({flag}) for flag in Flag), frozenset(Flag)]
# A situation looks at neither signature nor place, a cause at nothing else but flags.
FOR_SITUATIONS = [
    Pattern(ready, reach, blind=blind, flags=flags)
    for ready, reach, blind, flags in product(ReadyState, Reach, (False, True), FLAGS)
    if blind or reach is not Reach.NO_PROBER  # where no prober could run, one could not
]
FOR_CAUSES = [
    Pattern(ReadyState.READY, Reach.NONE, signature, where, flags=flags)
    for signature, where, flags in product(Signature, Where, FLAGS)
]


def test_no_pattern_is_left_without_a_verdict() -> None:
    assert {situation_of(pattern).verdict for pattern in FOR_SITUATIONS} == set(Verdict)
    assert all(cause_of(pattern).id for pattern in FOR_CAUSES)


def test_every_row_is_reachable() -> None:
    situations = {id(situation_of(pattern)) for pattern in FOR_SITUATIONS}
    causes = {id(cause_of(pattern)) for pattern in FOR_CAUSES}
    unreachable = [row.id for row in SITUATIONS if id(row) not in situations]
    unreachable += [row.id for row in CAUSES if id(row) not in causes]
    assert unreachable == []


def test_every_signature_has_a_cause_of_its_own() -> None:
    for signature in set(Signature) - {Signature.NONE, Signature.UNKNOWN}:
        pattern = Pattern(ReadyState.READY, Reach.NONE, signature, Where.EVERYWHERE)
        assert cause_of(pattern).id != "unknown", signature


readies = st.sampled_from([None, READY, UNKNOWN, NEVER, FAILED_UPDATE, STALE, ABSENT])


@st.composite
def any_probe(draw: st.DrawFn) -> ProbeObserved:
    counts = draw(st.dictionaries(st.sampled_from(list(HOP_OF)), st.integers(0, 30), max_size=4))
    failures = {name: n for name, n in counts.items() if name not in ("ok", "prober_error")}
    good = counts.get("ok", 0)
    return probe(
        draw(st.sampled_from(VANTAGES)),
        good,
        failures=failures,
        outcomes=counts,
        valid=good + sum(failures.values()),
        total=sum(counts.values()),
        through_gateway=draw(st.integers(0, 30)),
        gateway_failures=draw(st.dictionaries(st.sampled_from(["404", "503"]), st.integers(1, 9))),
        lateness_p99=draw(st.sampled_from([0.0, 0.3])),
        latencies_within=draw(st.sampled_from([{}, {"0.5": 0}])),
        error=draw(st.sampled_from([None, None, None, "no pod"])),
        identity=draw(st.sampled_from([None, VantageIdentity("x", clock_offset=5.0)])),
    )


@given(readies, st.lists(any_probe(), max_size=5))
def test_any_evidence_gets_a_claim_that_can_be_read(
    ready: ServiceObserved | None, probes: list[ProbeObserved]
) -> None:
    claim = diagnose(ready=ready, probes=probes)
    assert claim.reason
    assert claim.diagnosis
    assert "{" not in (claim.next_step or "")


def only_prober_errors(vantage: str, error: str | None) -> ProbeObserved:
    return probe(vantage, 0, valid=0, outcomes={"prober_error": 20}, failures={}, error=error)


@given(
    readies,
    st.lists(
        st.builds(only_prober_errors, st.sampled_from(VANTAGES), st.sampled_from([None, "no pod"])),
        min_size=1,
        max_size=4,
    ),
)
def test_prober_errors_alone_never_pass_and_never_fail(
    ready: ServiceObserved | None, probes: list[ProbeObserved]
) -> None:
    assert diagnose(ready=ready, probes=probes).verdict is Verdict.ERROR


@given(readies, st.lists(any_probe(), max_size=5), st.sampled_from(VANTAGES))
def test_a_vantage_that_could_not_run_never_makes_a_pass_or_a_fail(
    ready: ServiceObserved | None, probes: list[ProbeObserved], vantage: str
) -> None:
    claim = diagnose(ready=ready, probes=[*probes, only_prober_errors(vantage, "no pod")])
    assert claim.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR)


@given(st.lists(any_probe(), max_size=5))
def test_ready_with_a_failing_vantage_never_passes(probes: list[ProbeObserved]) -> None:
    claim = diagnose(ready=READY, probes=[*probes, failed("devbox", "connect_refused")])
    assert claim.verdict is Verdict.INCONCLUSIVE


@given(readies, st.permutations((*ALL_OK, failed("node", "reset"), failed("kubectl://p", "reset"))))
def test_the_order_of_the_vantages_does_not_matter(
    ready: ServiceObserved | None, probes: list[ProbeObserved]
) -> None:
    claim = diagnose(ready=ready, probes=probes)
    expected = diagnose(ready=ready, probes=sorted(probes, key=lambda p: p.vantage))
    assert (claim.verdict, claim.vantage, claim.hop, claim.reason) == (
        expected.verdict,
        expected.vantage,
        expected.hop,
        expected.reason,
    )


def test_scenarios_can_name_each_diagnosis_and_no_other() -> None:
    rows = [*SITUATIONS, *CAUSES]
    assert frozenset(row.id for row in rows) == DIAGNOSES
