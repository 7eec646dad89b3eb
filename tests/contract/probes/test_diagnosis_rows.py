"""Each row of the diagnosis, shown by a world that is broken from outside the product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.causes import CAUSES
from harness.core.diagnose import diagnose
from harness.core.outcome import Hop
from harness.core.situations import SITUATIONS
from harness.core.verdict import Claim, Verdict
from harness.ports import Cluster, Gateway
from harness.spec.model import ProbeAction
from harness.timing.clock import SystemClock
from probes.places import ClusterPlaces
from probes.prober import Prober
from tests.contract.probes.jobs import JobCluster
from tests.contract.probes.setting import MemoryStore, ScriptedKubectl
from tests.contract.probes.worlds import WORLDS

# What the engine cannot produce: failures without an outcome, as another summary may have them.
NOT_SHOWN = {"unknown"}

EXPECTED: dict[str, tuple[Verdict, Hop | None, str | None]] = {
    "reachable": (Verdict.PASS, None, None),
    "dns-not-found": (Verdict.INCONCLUSIVE, Hop.RESOLVE, "devbox"),
    "dns-silent": (Verdict.INCONCLUSIVE, Hop.RESOLVE, "devbox"),
    "dns-error": (Verdict.INCONCLUSIVE, Hop.RESOLVE, "devbox"),
    "public-port-closed": (Verdict.INCONCLUSIVE, Hop.CONNECT, "devbox"),
    "gateway-not-exposed": (Verdict.INCONCLUSIVE, Hop.CONNECT, "devbox"),
    "cluster-address-closed": (Verdict.INCONCLUSIVE, Hop.CONNECT, "in-cluster"),
    "nothing-listens": (Verdict.INCONCLUSIVE, Hop.CONNECT, "devbox"),
    "connect-dropped": (Verdict.INCONCLUSIVE, Hop.CONNECT, "devbox"),
    "no-route": (Verdict.INCONCLUSIVE, Hop.CONNECT, "devbox"),
    "tls-untrusted": (Verdict.INCONCLUSIVE, Hop.TLS, "gateway"),
    "clock-skew": (Verdict.INCONCLUSIVE, Hop.TLS, "gateway"),
    "tls-expired": (Verdict.INCONCLUSIVE, Hop.TLS, "gateway"),
    "tls-not-yet-valid": (Verdict.INCONCLUSIVE, Hop.TLS, "gateway"),
    "tls-name": (Verdict.INCONCLUSIVE, Hop.TLS, "gateway"),
    "tls-broken": (Verdict.INCONCLUSIVE, Hop.TLS, "gateway"),
    "tls-silent": (Verdict.INCONCLUSIVE, Hop.TLS, "gateway"),
    "send-broken": (Verdict.INCONCLUSIVE, Hop.SEND, "devbox"),
    "silent-outside": (Verdict.INCONCLUSIVE, Hop.WAIT, "devbox"),
    "silent": (Verdict.INCONCLUSIVE, Hop.WAIT, "devbox"),
    "connection-reset": (Verdict.INCONCLUSIVE, Hop.WAIT, "devbox"),
    "connection-closed": (Verdict.INCONCLUSIVE, Hop.WAIT, "devbox"),
    "answer-cut": (Verdict.INCONCLUSIVE, Hop.TRANSFER, "devbox"),
    "not-http": (Verdict.INCONCLUSIVE, Hop.TRANSFER, "devbox"),
    "answer-too-large": (Verdict.INCONCLUSIVE, Hop.TRANSFER, "devbox"),
    "host-not-routed": (Verdict.INCONCLUSIVE, Hop.STATUS, "devbox"),
    "no-healthy-upstream": (Verdict.INCONCLUSIVE, Hop.STATUS, "devbox"),
    "gateway-timeout": (Verdict.INCONCLUSIVE, Hop.STATUS, "devbox"),
    "gateway-status": (Verdict.INCONCLUSIVE, Hop.STATUS, "devbox"),
    "app-timeout": (Verdict.INCONCLUSIVE, Hop.STATUS, "devbox"),
    "app-closes": (Verdict.INCONCLUSIVE, Hop.STATUS, "devbox"),
    "app-status": (Verdict.INCONCLUSIVE, Hop.STATUS, "devbox"),
    "another-server": (Verdict.INCONCLUSIVE, Hop.STATUS, "devbox"),
    "wrong-service": (Verdict.INCONCLUSIVE, Hop.BODY, "devbox"),
    "partial": (Verdict.INCONCLUSIVE, Hop.WAIT, "gateway"),
    "readiness-gap": (Verdict.INCONCLUSIVE, Hop.WAIT, "gateway"),
    "partial-by-revision": (Verdict.INCONCLUSIVE, Hop.STATUS, "gateway"),
    "cold-start": (Verdict.PASS, None, None),
    "prober-behind": (Verdict.INCONCLUSIVE, Hop.PROBER, "gateway"),
    "no-data": (Verdict.INCONCLUSIVE, None, None),
    "prober-error": (Verdict.ERROR, Hop.PROBER, "in-cluster"),
    "not-ready-but-answering": (Verdict.INCONCLUSIVE, None, None),
    "failed-update": (Verdict.INCONCLUSIVE, None, None),
    "not-reconciled": (Verdict.INCONCLUSIVE, None, None),
    "absent-but-answering": (Verdict.INCONCLUSIVE, None, None),
    "absent": (Verdict.FAIL, Hop.CONNECT, "devbox"),
    "never-ready": (Verdict.FAIL, Hop.STATUS, "devbox"),
    "not-ready": (Verdict.FAIL, Hop.CONNECT, "devbox"),
}


@pytest.fixture
def look(make_cluster: Callable[..., Cluster], tmp_path: Path) -> Callable[[str], Claim]:
    """Makes a world by its name, probes it, and diagnoses."""

    def run(name: str) -> Claim:
        with WORLDS[name](tmp_path) as world:
            cluster = replace(
                make_cluster(world.http_port, emulator=world.emulator),
                gateway=Gateway("127.0.0.1", world.http_port, world.https_port, world.ca_file),
            )
            waiting = "" if world.pods_start else "ErrImagePull"
            clock = SystemClock()
            places = ClusterPlaces(
                cluster=cluster,
                client=JobCluster(tmp_path, waiting=waiting, clock_ahead=world.pod_clock_ahead),
                kubectl=ScriptedKubectl(),
                clock=clock,
            )
            prober = Prober(places=places, store=MemoryStore(), clock=clock)
            asked = {"requests": 6, "rate": "60/s", "timeout": "1s", **world.fields}
            action = ProbeAction.model_validate(
                {"service": "metrics-echo", "vantages": world.vantages, **asked}
            )
            probes = prober.probe(world.service, action)
        return diagnose(
            ready=world.service,
            probes=probes,
            objectives=action.objectives,
            minimum=action.minimum,
        )

    return run


@pytest.mark.parametrize("name", WORLDS)
def test_a_broken_world_gets_its_own_row_and_no_neighbours(
    look: Callable[[str], Claim], name: str
) -> None:
    claim = look(name)
    found = (claim.diagnosis, claim.verdict, claim.hop, claim.vantage)
    assert found == (name, *EXPECTED[name]), claim.reason


def test_every_row_has_a_world() -> None:
    named = {row.id for row in SITUATIONS if not row.names_cause} | {row.id for row in CAUSES}
    assert named - set(WORLDS) == NOT_SHOWN
    assert set(WORLDS) == set(EXPECTED)
