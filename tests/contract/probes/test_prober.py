"""The prober on real sockets, with the real engine, from several vantages at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.diagnose import diagnose
from harness.core.errors import UsageError
from harness.core.outcome import Hop
from harness.core.verdict import Verdict
from harness.spec.model import ProbeAction
from harness.timing.clock import SystemClock
from probes.prober import Prober
from tests.contract.probes.jobs import JobCluster
from tests.contract.probes.setting import SERVICE, MemoryStore
from tests.contract.probes.web import closed_port, routed, serve, serve_silence

HOST = "metrics-echo.default.127.0.0.1.sslip.io"
MakeProber = Callable[..., Prober]


def action(*vantages: str, **fields: Any) -> ProbeAction:
    asked = {"requests": 5, "rate": "50/s", "timeout": "5s", **fields}
    return ProbeAction.model_validate({"service": "metrics-echo", "vantages": vantages, **asked})


def test_devbox_and_gateway_reach_a_routed_service(
    make_prober: MakeProber, store: MemoryStore
) -> None:
    with serve(routed(HOST)) as port:
        devbox, gateway = make_prober(port).probe(SERVICE, action("devbox", "gateway"))
    for seen in (devbox, gateway):
        assert (seen.good, seen.valid, seen.total, seen.error) == (5, 5, 5, None)
        assert seen.through_gateway == 5
        assert seen.revisions == {"metrics-echo-00001": 5}
        assert seen.identity is not None
        assert seen.identity.clock_offset == 0.0
        assert seen.samples is not None
        assert len(store.files[seen.samples.path].splitlines()) == 5 + 2
    assert devbox.url == f"http://{HOST}:{port}/"
    assert gateway.url == f"http://{HOST}/"
    assert gateway.peers == {f"127.0.0.1:{port}": 5}


def test_the_gap_after_ready_is_measured_from_each_vantage(make_prober: MakeProber) -> None:
    looked = SystemClock().now()
    young = replace(SERVICE, at=looked.isoformat(), age=2.0)
    with serve(routed(HOST)) as port:
        devbox, gateway = make_prober(port).probe(young, action("devbox", "gateway"))
    for seen in (devbox, gateway):
        assert seen.gap is not None
        assert seen.gap.at_most
        assert seen.gap.first is not None
        assert seen.gap.steady is not None
        assert 2.0 < seen.gap.first < seen.gap.steady


def test_the_incident(make_prober: MakeProber, tmp_path: Path) -> None:
    """READY, refused at the host's port, 5/5 in the cluster: the gateway is not exposed."""
    with serve(routed("127.0.0.1")) as port:
        service = replace(SERVICE, address=f"http://127.0.0.1:{port}")
        prober = make_prober(closed_port(), client=JobCluster(tmp_path))
        probes = prober.probe(service, action("devbox", "in-cluster"))
    claim = diagnose(ready=service, probes=probes)
    assert (claim.verdict, claim.vantage, claim.hop, claim.diagnosis) == (
        Verdict.INCONCLUSIVE,
        "devbox",
        Hop.CONNECT,
        "gateway-not-exposed",
    )
    assert "5/5 ok from in-cluster" in claim.reason
    assert "ECONNREFUSED" in claim.reason


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ("status_mismatch", {"status": 204}),
        ("body_mismatch", {"body": {"contains": "another service"}}),
        ("ok", {"body": {"matches": "^metrics-echo ok ts=[0-9]+"}}),
        ("ok", {"headers": {"X-Trace": "1"}, "path": "/healthz"}),
    ],
)
def test_expectations_reach_the_engine(
    make_prober: MakeProber, expected: str, fields: dict[str, Any]
) -> None:
    with serve(routed(HOST)) as port:
        (seen,) = make_prober(port).probe(SERVICE, action("gateway", **fields))
    assert seen.outcomes == {expected: 5}


def test_the_gateways_own_404_is_told_from_the_services(make_prober: MakeProber) -> None:
    with serve(routed("other.example")) as port:
        (seen,) = make_prober(port).probe(SERVICE, action("gateway"))
    assert seen.gateway_failures == {"404": 5}
    assert seen.service_failures == {}
    assert seen.details["status_mismatch"].endswith("status 404 by envoy, empty body")


def test_silence_is_waited_for_only_as_long_as_asked(make_prober: MakeProber) -> None:
    with serve_silence() as port:
        (seen,) = make_prober(port).probe(SERVICE, action("gateway", timeout="500ms"))
    assert seen.outcomes == {"wait_timeout": 5}


def test_warmup_is_counted_apart(make_prober: MakeProber) -> None:
    with serve(routed(HOST)) as port:
        (seen,) = make_prober(port).probe(SERVICE, action("gateway", warmup=2))
    assert (seen.total, seen.warmup, seen.valid) == (7, 2, 5)


def test_latency_objectives_are_measured(make_prober: MakeProber) -> None:
    objectives = [{"metric": "latency", "target": "95%", "threshold": "400ms"}]
    with serve(routed(HOST)) as port:
        (seen,) = make_prober(port).probe(SERVICE, action("gateway", objectives=objectives))
    assert seen.latencies_within == {"0.4": 5}


def test_both_vantages_in_the_cluster_share_one_pod(
    make_prober: MakeProber, tmp_path: Path
) -> None:
    client = JobCluster(tmp_path)
    with serve(routed("127.0.0.1")) as port:
        service = replace(SERVICE, address=f"http://127.0.0.1:{port}")
        inside, through = make_prober(port, client=client).probe(
            service, action("in-cluster", "in-cluster-gateway", timeout="200ms")
        )
    assert inside.good == 5
    assert inside.identity is not None
    assert inside.identity.pod.endswith("-x1")
    assert inside.identity.node == "node-1"
    assert inside.identity.image_digest == "sha256:abc"
    # kourier's Service has no such name here: that vantage alone fails, at its own hop.
    assert {name[:4] for name in through.failures} == {"dns_"}
    created = [what.partition("/")[0] for verb, what in client.calls if verb == "create"]
    assert created == ["ConfigMap", "Job"]


def test_nothing_stays_in_the_cluster(make_prober: MakeProber, tmp_path: Path) -> None:
    client = JobCluster(tmp_path)
    with serve(routed("127.0.0.1")) as port:
        service = replace(SERVICE, address=f"http://127.0.0.1:{port}")
        make_prober(port, client=client).probe(service, action("in-cluster"))
    assert {key[1] for key in client.objects} <= {"pods"}


def test_a_pod_that_cannot_start_is_an_error_of_its_vantage_alone(
    make_prober: MakeProber, tmp_path: Path
) -> None:
    client = JobCluster(tmp_path, waiting="ImagePullBackOff")
    service = replace(SERVICE, address="http://127.0.0.1:1")
    with serve(routed(HOST)) as port:
        gateway, inside = make_prober(port, client=client).probe(
            service, action("gateway", "in-cluster")
        )
    assert gateway.good == 5
    assert inside.error is not None
    assert "ImagePullBackOff: no such image" in inside.error
    assert "Failed: Failed to pull image" in inside.error
    claim = diagnose(ready=service, probes=(gateway, inside))
    assert (claim.verdict, claim.vantage) == (Verdict.ERROR, "in-cluster")
    assert {key[1] for key in client.objects} <= {"pods", "events"}


def test_an_engine_that_cannot_run_in_its_pod_says_why(
    make_prober: MakeProber, tmp_path: Path
) -> None:
    client = JobCluster(tmp_path, exit_code=4)
    service = replace(SERVICE, address="http://127.0.0.1:1")
    (seen,) = make_prober(closed_port(), client=client).probe(service, action("in-cluster"))
    assert seen.error is not None
    assert "the probe engine ended with 4: cannot run: no threads" in seen.error


def test_a_service_without_a_public_url_is_an_error_of_that_vantage(
    make_prober: MakeProber,
) -> None:
    (seen,) = make_prober(closed_port()).probe(replace(SERVICE, url=""), action("gateway"))
    assert seen.error is not None
    assert "has no public URL" in seen.error


def test_sample_files_belong_to_one_vantage_each(
    make_prober: MakeProber, store: MemoryStore
) -> None:
    with serve(routed(HOST)) as port:
        prober = make_prober(port)
        prober.probe(SERVICE, action("devbox", "gateway"))
        prober.probe(SERVICE, action("gateway"))
    assert sorted(store.files) == [
        "samples/01-metrics-echo-devbox.jsonl.gz",
        "samples/01-metrics-echo-gateway.jsonl.gz",
        "samples/02-metrics-echo-gateway.jsonl.gz",
    ]
    for name, content in store.files.items():
        records = [json.loads(line) for line in content.splitlines()]
        targets = {record["target"] for record in records if record["record"] == "sample"}
        assert targets == {Path(name).name.removesuffix(".jsonl.gz")}


def test_a_vantage_that_this_cluster_cannot_have_is_skipped_and_never_passes(
    make_prober: MakeProber,
) -> None:
    with serve(routed(HOST)) as port:
        gateway, node = make_prober(port).probe(SERVICE, action("gateway", "node"))
    assert (gateway.good, node.total, node.error) == (5, 0, None)
    claim = diagnose(ready=SERVICE, probes=(gateway, node))
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "node: skipped: fake clusters lack the capability 'node'" in claim.reason


def test_more_attempts_than_have_a_line_each_are_counted_by_the_engine(
    make_prober: MakeProber, store: MemoryStore
) -> None:
    objectives = [{"metric": "latency", "target": "95%", "threshold": "400ms"}]
    # The engine is given its window and a grace: a busy machine needs more than a second of both.
    many = action("gateway", requests=20_001, rate="2000/s", objectives=objectives)
    (seen,) = make_prober(closed_port()).probe(SERVICE, many)
    assert seen.samples is not None
    assert len(store.files[seen.samples.path].splitlines()) == 2
    assert (seen.total, seen.valid, seen.good) == (20_001, 20_001, 0)
    assert seen.outcomes == seen.failures == {"connect_refused": 20_001}
    assert "ECONNREFUSED" in seen.details["connect_refused"]
    assert seen.latencies_within == {"0.4": 0}
    claim = diagnose(ready=SERVICE, probes=(seen,), objectives=many.objectives)
    assert (claim.diagnosis, claim.hop) == ("nothing-listens", Hop.CONNECT)


def test_many_samples_are_compressed(make_prober: MakeProber, store: MemoryStore) -> None:
    many = action("gateway", requests=3000, rate="6000/s")
    (seen,) = make_prober(closed_port()).probe(SERVICE, many)
    assert seen.samples is not None
    assert list(store.files) == ["samples/01-metrics-echo-gateway.jsonl.gz"]
    assert (seen.total, seen.failures) == (3000, {"connect_refused": 3000})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"rate": "1000000/s"}, "rate: expected 0.001 to 100000 per s"),
        ({"headers": {"User-Agent": "kube-probe/1.33"}}, "headers: User-Agent: 'kube-probe/1.33'"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "headers: the value of X-A has characters"),
        ({"headers": {"Connection": "upgrade"}}, "headers: Connection is set by the prober"),
    ],
)
def test_what_cannot_be_sent_is_said_once(
    make_prober: MakeProber, fields: dict[str, Any], problem: str
) -> None:
    with (
        serve(routed(HOST)) as port,
        pytest.raises(UsageError, match=re.escape(problem)) as raised,
    ):
        make_prober(port).probe(SERVICE, action("devbox", "gateway", "in-cluster", **fields))
    assert len(raised.value.message.splitlines()) == 2
