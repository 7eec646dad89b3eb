"""READY on the object: what counts, what does not, and how it is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.conditions import (
    Behind,
    endpoints_fact,
    is_ready,
    read_service,
    ready_claim,
    related_fact,
)
from harness.core.observation import ServiceObserved
from harness.core.verdict import Verdict

NOW = datetime(2026, 11, 22, 8, 17, 44, tzinfo=UTC)


def ksvc(
    *,
    ready: str | None = "True",
    reason: str = "",
    message: str = "",
    generation: int = 1,
    observed: int | None = 1,
    created: str | None = "hello-00001",
    latest: str | None = "hello-00001",
    deleted: bool = False,
) -> dict[str, object]:
    """A KService shaped as a real cluster shows it (serving 1.18, lifecycle recording)."""
    metadata: dict[str, object] = {"name": "hello", "uid": "u1", "generation": generation}
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-22T08:17:40Z"
    conditions = [{"type": "ConfigurationsReady", "status": "True"}]
    if ready is not None:
        conditions.append(
            {
                "type": "Ready",
                "status": ready,
                "reason": reason,
                "message": message,
                "lastTransitionTime": "2026-11-22T08:17:14Z",
            }
        )
    status: dict[str, object] = {
        "conditions": conditions,
        "url": "http://hello.default.127.0.0.1.sslip.io",
        "address": {"url": "http://hello.default.svc.cluster.local"},
        "observedGeneration": observed,
        "latestCreatedRevisionName": created,
        "latestReadyRevisionName": latest,
    }
    containers = [{"image": "dev.local/hello:v1"}]
    spec = {"template": {"spec": {"containers": containers}}}
    return {"metadata": metadata, "spec": spec, "status": status}


def read(obj: dict[str, object] | None, **fields: float) -> ServiceObserved:
    return read_service(obj, service="hello", namespace="default", now=NOW, **fields)  # type: ignore[arg-type]


def test_a_ready_service_shows_its_facts() -> None:
    observed = read(ksvc())
    assert is_ready(observed)
    assert observed.age == 30.0
    assert observed.image == "dev.local/hello:v1"
    assert observed.url == "http://hello.default.127.0.0.1.sslip.io"
    assert observed.address == "http://hello.default.svc.cluster.local"
    claim = ready_claim(observed)
    assert claim.verdict is Verdict.PASS
    assert claim.reason == "READY=True at generation 1, revision hello-00001, for 30 s"


MISMATCHES = {
    "no condition": (
        {"ready": None},
        "status.conditions[Ready]: expected True, found not set",
    ),
    "unknown": (
        {
            "ready": "Unknown",
            "reason": "IngressNotConfigured",
            "message": "Ingress has not yet been reconciled.",
        },
        "status.conditions[Ready]: expected True, found Unknown (IngressNotConfigured: "
        "Ingress has not yet been reconciled.)",
    ),
    "stale generation": (
        {"generation": 2},
        "status.observedGeneration: expected 2 (metadata.generation), found 1",
    ),
    "never observed": (
        {"observed": None},
        "status.observedGeneration: expected 1 (metadata.generation), found nothing",
    ),
    "older revision ready": (
        {"created": "hello-00002"},
        "status.latestReadyRevisionName: expected hello-00002 (latestCreatedRevisionName), "
        "found hello-00001",
    ),
    "no revision": (
        {"created": None, "latest": None},
        "status.latestReadyRevisionName: expected a revision (latestCreatedRevisionName), "
        "found nothing",
    ),
    "being deleted": (
        {"deleted": True},
        "metadata.deletionTimestamp: the object is being deleted",
    ),
}


@pytest.mark.parametrize(("fields", "mismatch"), MISMATCHES.values(), ids=MISMATCHES)
def test_each_part_of_ready_is_needed(fields: dict[str, object], mismatch: str) -> None:
    observed = read(ksvc(**fields))  # type: ignore[arg-type]
    assert observed.mismatches == (mismatch,)
    claim = ready_claim(observed)
    assert claim.verdict is Verdict.FAIL
    assert mismatch in claim.reason
    assert claim.next_step == "kubectl -n default describe ksvc hello"


def test_an_absent_service_is_not_ready() -> None:
    observed = read(None, waited=3.0)
    assert not observed.found
    assert ready_claim(observed).reason == (
        "not READY after waiting 3.0 s: services.serving.knative.dev default/hello: not found"
    )


@pytest.mark.parametrize(("earned", "said"), [(None, False), (True, False), (False, True)])
def test_a_ready_that_was_there_before_says_so(earned: bool | None, said: bool) -> None:
    claim = ready_claim(read(ksvc()), earned=earned)
    assert claim.verdict is Verdict.PASS
    assert ("not earned by this run" in claim.reason) is said


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-22T08:17:14"])
def test_a_time_that_cannot_be_placed_gives_no_age(time: str) -> None:
    obj = ksvc()
    obj["status"]["conditions"][1]["lastTransitionTime"] = time  # type: ignore[index]
    assert read(obj).age is None


@pytest.mark.parametrize(
    ("resolved", "running", "digest"),
    [
        ("dev.local/hello@sha256:abc", "docker.io/hello@sha256:def", "sha256:abc"),
        ("", "docker.io/hello@sha256:def", "sha256:def"),
        ("", "sha256:def", "sha256:def"),
        ("", "", ""),
    ],
)
def test_the_digest_is_the_revisions_or_else_the_running_pods(
    resolved: str, running: str, digest: str
) -> None:
    revision = {"status": {"containerStatuses": [{"imageDigest": resolved}]}}
    statuses = [
        {"name": "queue-proxy", "imageID": "sha256:queue"},
        {"name": "user-container", "imageID": running},
    ]
    observed = read_service(
        ksvc(),
        service="hello",
        namespace="default",
        now=NOW,
        revision=revision,
        pods=[{"status": {"containerStatuses": statuses}}],
    )
    assert observed.image_digest == digest


def test_related_objects_say_what_is_not_true() -> None:
    route = {
        "metadata": {"name": "hello"},
        "status": {
            "conditions": [
                {"type": "AllTrafficAssigned", "status": "True"},
                {"type": "IngressReady", "status": "Unknown", "reason": "Uninitialized"},
                {"type": "Ready", "status": "Unknown"},
            ]
        },
    }
    fact = related_fact("Route", route)
    assert fact.text == "Route hello: Ready=Unknown, IngressReady=Unknown (Uninitialized)"
    assert not fact.agrees


def test_endpoints_are_counted_over_all_slices() -> None:
    slices: list[dict[str, object]] = [
        {"endpoints": [{"conditions": {"ready": True}}, {"conditions": {"ready": False}}]},
        {"endpoints": [{}]},
        {"endpoints": None},
    ]
    fact = endpoints_fact(slices, service="hello-00001", may_be_none=False)
    assert fact == Behind("EndpointSlices of hello-00001: 2 of 3 ready")


@pytest.mark.parametrize(
    ("slices", "may_be_none", "agrees"),
    [
        ([], False, False),
        ([], True, True),
        ([{"endpoints": [{"conditions": {"ready": False}}]}], True, False),
        ([{"endpoints": [{"conditions": {"ready": True}}]}], False, True),
    ],
)
def test_a_path_without_ready_endpoints_does_not_agree_with_ready(
    slices: list[dict[str, object]], may_be_none: bool, agrees: bool
) -> None:
    fact = endpoints_fact(slices, service="hello-00001", may_be_none=may_be_none)
    assert fact.agrees is agrees


def test_what_does_not_agree_with_ready_contradicts_its_claim() -> None:
    doubt = Behind("KIngress hello: Ready=Unknown", agrees=False)
    behind = (Behind("Route hello: Ready=True"), doubt)
    observed = read_service(ksvc(), service="hello", namespace="default", now=NOW, behind=behind)
    claim = ready_claim(observed)
    assert (claim.verdict, claim.contradicts) == (Verdict.PASS, (doubt.text,))
    assert observed.related == tuple(fact.text for fact in behind)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "True", "Ready", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "status", "spec", "conditions", "type", "generation"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["metadata", "status", "spec"]), JSON))
def test_no_shape_of_object_breaks_the_reading_or_looks_ready(obj: dict[str, object]) -> None:
    observed = read(obj)
    assert not is_ready(observed)
    assert ready_claim(observed).verdict is Verdict.FAIL
